/** Has the environment be as it is now again, once it is disposed of. */
export function keptEnvironment(): Disposable {
  const before = { ...process.env };
  return {
    [Symbol.dispose]: () => {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    },
  };
}
