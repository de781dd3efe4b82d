/** Forked by cache-recovery.test.ts: adds to a number in a file with the lock held, and is killed holding it where it is told to. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CacheLock } from '../../../src/streaming/cache/cache-lock.js';
import { standing, thisMember } from '../../../src/streaming/cache/cache-member.js';

const [folder, id, times, killedAt] = process.argv.slice(2);
const me = thisMember(`member${id}`);
writeFileSync(join(folder!, me.id), JSON.stringify(me));
const lock = new CacheLock(join(folder!, 'lock'), join(folder!, me.id), (member) => standing(member, me) === 'dead');
const number = join(folder!, 'number');
for (let time = 0; time < Number(times); time++) {
  await lock.run(() => {
    if (time === Number(killedAt)) process.kill(process.pid, 'SIGKILL');
    const before = Number(readFileSync(number, 'utf8'));
    writeFileSync(number, '');
    writeFileSync(number, `${before + 1}`);
  });
}
