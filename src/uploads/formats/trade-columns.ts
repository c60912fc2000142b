import type { Side } from '../../contracts/index.js';
import { bad, type Reading, type ReadOptions } from './format.js';
import { makeId, type MadeIds } from './made-trade-ids.js';
import {
  isId,
  NO_SYMBOL,
  quoted,
  sideIn,
  sideOfMaker,
  sourceOf,
  symbolIn,
  symbolOfFile,
  timeIn,
  tradeReading,
} from './trade-values.js';
import { UPLOAD_SOURCE } from '../../contracts/index.js';

type Role = 'symbol' | 'time' | 'price' | 'size' | 'side' | 'buyerIsMaker' | 'id';

/** Names of columns and keys, without case and punctuation, the most telling first. */
const NAMES: Readonly<Record<Role, readonly string[]>> = {
  symbol: ['symbol', 'pair', 'market', 'instrument', 'ticker', 'productid', 'product'],
  time: ['ts', 'time', 'timestamp', 'tradedat', 'tradetime', 'transacttime', 'datetime', 'date', 'createdat', 'at'],
  price: ['price', 'tradeprice', 'rate', 'px'],
  size: ['size', 'qty', 'quantity', 'amount', 'volume', 'vol'],
  side: ['side', 'takerside', 'direction'],
  buyerIsMaker: ['isbuyermaker', 'buyermaker', 'buyerismaker'],
  id: ['id', 'tradeid', 'tid'],
};
const ROLES = Object.keys(NAMES) as Role[];
const LONGEST_NAME = 40;

/** Where each role stands among names. */
export type Roles = Readonly<Partial<Record<Role, number>>>;

/** Undefined where names do not make a trade: it has a time, a price and a size. */
export function rolesAmong(names: readonly string[]): Roles | undefined {
  const plain = names.map((name) =>
    name.length > LONGEST_NAME ? '' : name.toLowerCase().replaceAll(/[^a-z0-9]/g, ''),
  );
  const roles: Partial<Record<Role, number>> = {};
  for (const role of ROLES) {
    const name = NAMES[role].find((one) => plain.includes(one));
    if (name !== undefined) roles[role] = plain.indexOf(name);
  }
  return roles.time === undefined || roles.price === undefined || roles.size === undefined ? undefined : roles;
}

/** The trade that values are, in the order of the names that `roles` is of. */
export function tradeOf(values: readonly string[], roles: Roles, made: MadeIds, options: ReadOptions): Reading {
  const valueOf = (role: Role): string => (roles[role] === undefined ? '' : (values[roles[role]]?.trim() ?? ''));
  const symbol = valueOf('symbol') === '' ? symbolOfFile(options) : symbolIn(valueOf('symbol'));
  if (symbol === undefined) return bad(valueOf('symbol') === '' ? NO_SYMBOL : `it has no symbol that can be read`);
  const atUs = timeIn(valueOf('time'), options);
  if (atUs === undefined) return bad(`its time ${quoted(valueOf('time'))} cannot be read`);
  const side = sideAmong(valueOf('side'), valueOf('buyerIsMaker'));
  if (side === null) return bad('its side is neither buy nor sell');
  const source = sourceOf(options);
  const told = isId(valueOf('id')) ? valueOf('id') : undefined;
  if (told === undefined && source !== UPLOAD_SOURCE) return bad(`trades of ${source} must tell their ids`);
  const parts = { symbol, source, price: valueOf('price'), size: valueOf('size'), side, atUs };
  if (told !== undefined) return tradeReading({ ...parts, id: told }, options);
  // a place is given only to what is a trade
  const reading = tradeReading({ ...parts, id: '0' }, options);
  if (reading.kind !== 'trade') return reading;
  const id = makeId(made, symbol, atUs);
  if (id === undefined) return bad('it has no id and comes too late: trades without ids must be in order of time');
  return { kind: 'trade', trade: { ...reading.trade, tradeId: id } };
}

const sideAmong = (side: string, buyerIsMaker: string): Side | undefined | null =>
  side === '' ? sideOfMaker(buyerIsMaker) : sideIn(side);
