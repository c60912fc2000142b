import { lookup as lookUp, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Injectable } from '@nestjs/common';
import { Settings } from '../../platform/config/index.js';

/** An address that nothing of this process may connect to. */
export class BlockedTarget extends Error {
  readonly code = 'EBLOCKED';

  constructor(target: string) {
    super(`${target.slice(0, 100)} is private, loopback or reserved; ALLOW_PRIVATE_TARGETS names exceptions`);
    this.name = 'BlockedTarget';
  }
}

/** Not of the public internet, by IANA's special-purpose registries; of IPv6 nothing outside of 2000::/3 is. */
const RESERVED_4 =
  '0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 ' +
  '192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/3';
const RESERVED_6 = '2001::/23 2001:db8::/32 2002::/16 3fff::/20';
/** IPv4 addresses in IPv6's clothes: mapped ones, and those of NAT64. */
const EMBEDDING = ['::ffff:0:0/96', '64:ff9b::/96'] as const;
const MOST_ADDRESSES = 16;

/** One guard for save, test and delivery, on HTTP and mail alike: where a channel may connect to. */
@Injectable()
export class TargetGuard {
  private readonly reserved = listOf([...RESERVED_4.split(' '), ...RESERVED_6.split(' ')]);
  private readonly global6 = listOf(['2000::/3']);
  private readonly embedding = listOf(EMBEDDING);
  private readonly allowed: BlockList;

  constructor(settings: Settings) {
    this.allowed = listOf(settings.ALLOW_PRIVATE_TARGETS);
  }

  /** Throws BlockedTarget when a host that is an address, as URLs write it, may not be connected to. */
  checkLiteral(host: string): void {
    const address = host.replace(/^\[(.*)\]$/, '$1');
    if (isIP(address) !== 0 && !this.mayReach(address)) throw new BlockedTarget(address);
  }

  /** In place of the resolver of a socket, which asks it for names only: literals are to be checked before. */
  readonly lookup: LookupFunction = (hostname, options, callback) => {
    lookUp(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, '');
      const found = addresses.slice(0, MOST_ADDRESSES);
      const blocked = found.find(({ address }) => !this.mayReach(address));
      if (blocked) return callback(new BlockedTarget(`${hostname} (${blocked.address})`), '');
      if (options.all) return callback(null, found);
      const [first] = found;
      if (!first) return callback(new Error(`${hostname} has no address`), '');
      callback(null, first.address, first.family);
    });
  };

  /** As a connection would be, without one: throws BlockedTarget; a name that is not known now is let pass. */
  async check(host: string): Promise<void> {
    this.checkLiteral(host);
    if (isIP(host.replace(/^\[(.*)\]$/, '$1')) !== 0) return;
    const found = await new Promise<readonly LookupAddress[] | Error>((resolve) => {
      this.lookup(host, { all: true }, (error, addresses) =>
        resolve(error ?? (addresses as unknown as LookupAddress[])),
      );
    });
    if (found instanceof BlockedTarget) throw found;
  }

  mayReach(address: string): boolean {
    const plain = address.replace(/%.*$/, '');
    const family = isIP(plain);
    if (family === 0) return false;
    if (this.allowed.check(plain, family === 4 ? 'ipv4' : 'ipv6')) return true;
    if (family === 4) return !this.reserved.check(plain, 'ipv4');
    if (this.embedding.check(plain, 'ipv6')) return this.mayReach(embedded(plain));
    return this.global6.check(plain, 'ipv6') && !this.reserved.check(plain, 'ipv6');
  }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList();
  for (const network of networks) {
    const [address = '', bits] = network.split('/');
    const family = isIP(address) === 4 ? 'ipv4' : 'ipv6';
    list.addSubnet(address, bits === undefined ? (family === 'ipv4' ? 32 : 128) : Number(bits), family);
  }
  return list;
}

/** The last four bytes. URL writes an IPv6 address in its shortest form. */
function embedded(address: string): string {
  const dotted = /(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const groups = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::').at(-1)!.split(':');
  const [high, low] = [groups.at(-2) || '0', groups.at(-1) || '0'].map((group) => Number.parseInt(group, 16));
  return [high! >> 8, high! & 255, low! >> 8, low! & 255].join('.');
}
