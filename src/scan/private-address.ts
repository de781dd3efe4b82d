import { BlockList, isIPv6 } from 'node:net';

/** The ranges of the special-purpose registries (RFC 6890 and its updates) that are not reached over the public internet. */
const subnets4 = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const;

/** Those that carry an address of IPv4 (mapped, NAT64, 6to4, Teredo) are in here whatever they carry. */
const subnets6 = [
  ['::', 96],
  ['::ffff:0:0', 96],
  ['64:ff9b::', 96],
  ['64:ff9b:1::', 48],
  ['100::', 64],
  ['2001::', 32],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
  ['ff00::', 8],
] as const;

/** One list a family: a list of both takes an address of IPv4 for the one of IPv6 that it is mapped to. */
const private4 = new BlockList();
const private6 = new BlockList();
for (const [net, prefix] of subnets4) private4.addSubnet(net, prefix, 'ipv4');
for (const [net, prefix] of subnets6) private6.addSubnet(net, prefix, 'ipv6');

/** Whether an IP address is private, loopback, link-local or otherwise not one of the public internet. */
export function isPrivateAddress(address: string): boolean {
  const [plain = ''] = address.split('%');
  return isIPv6(plain) ? private6.check(plain, 'ipv6') : private4.check(plain, 'ipv4');
}
