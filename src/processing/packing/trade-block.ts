import type { TradeRecord } from '../trade-batch.js';
import type { StoredTrade } from '../trade.store.js';
import { ByteReader, ByteWriter, UnreadableBlock } from './byte-stream.js';
import { type DecimalColumn, readDecimals, writeDecimals } from './decimal-column.js';
import { readIntegers, writeIntegers } from './integer-column.js';

const SIDES = '-bs';
const TWO_32 = 2n ** 32n;
/** Venues tell times in microseconds, milliseconds or seconds. */
const TIME_UNITS_US = [1_000_000, 1000, 1] as const;
const [AS_STEPS, IN_HALVES] = [0, 1];

/**
 * Trades of one series in order of (tradedAt, tradeId) as columns of small integers, not compressed yet. Times count
 * from the first in the largest unit that holds them; what lies between traded and received, ids, prices and sizes
 * follow; sides stand as runs. Throws RangeError for what is no
 * microsecond from 1970 on.
 */
export function encodeTrades(trades: TradeRecord): Buffer {
  const to = new ByteWriter();
  const { tradedAtUs, receivedAtUs } = trades;
  if (tradedAtUs.concat(receivedAtUs).some((us) => !(us >= 0 && Number.isSafeInteger(us))))
    throw new RangeError('a time is no microsecond from 1970 on');
  to.unsigned(tradedAtUs.length);
  const firstUs = tradedAtUs[0] ?? 0;
  const sinceFirst = tradedAtUs.map((us) => us - firstUs);
  const unit = TIME_UNITS_US.findIndex((unitUs) => sinceFirst.every((us) => us % unitUs === 0));
  to.unsigned(unit);
  to.unsigned(firstUs);
  writeIntegers(
    to,
    Float64Array.from(sinceFirst, (us) => us / TIME_UNITS_US[unit]!),
  );
  writeIntegers(
    to,
    Float64Array.from(receivedAtUs, (us, index) => us - tradedAtUs[index]!),
  );
  writeIds(to, trades.tradeIds);
  writeDecimals(to, trades.prices);
  writeDecimals(to, trades.sizes);
  writeSides(to, trades.sides);
  return to.bytes;
}

/** Reads what encodeTrades wrote; throws UnreadableBlock. */
export function decodeTrades(bytes: Uint8Array): DecodedTrades {
  const from = new ByteReader(bytes);
  const length = from.unsigned();
  if (length > from.left) throw new UnreadableBlock('it counts more trades than it has bytes');
  const unitUs = TIME_UNITS_US[from.unsigned()];
  if (unitUs === undefined) throw new UnreadableBlock('its unit of time is unknown');
  const firstUs = from.unsigned();
  const tradedAtUs = readIntegers(from, length).map((units) => firstUs + units * unitUs);
  const receivedAtUs = readIntegers(from, length).map((lagUs, index) => tradedAtUs[index]! + lagUs);
  const ids = readIds(from, length);
  const prices = readDecimals(from, length);
  const sizes = readDecimals(from, length);
  const sides = readSides(from, length);
  if (from.left > 0) throw new UnreadableBlock(`${from.left} bytes follow its end`);
  return new DecodedTrades(tradedAtUs, receivedAtUs, ids, prices, sizes, sides);
}

/** The trades of a block; texts are made for those that are asked for. */
export class DecodedTrades {
  constructor(
    readonly tradedAtUs: Float64Array,
    private readonly receivedAtUs: Float64Array,
    private readonly ids: (index: number) => string,
    private readonly prices: DecimalColumn,
    private readonly sizes: DecimalColumn,
    private readonly sides: string,
  ) {}

  get length(): number {
    return this.tradedAtUs.length;
  }

  trade(index: number): StoredTrade {
    const side = this.sides.charAt(index);
    return {
      tradeId: this.ids(index),
      price: this.prices.text(index),
      size: this.sizes.text(index),
      ...(side === '-' ? {} : { side: side === 'b' ? ('buy' as const) : ('sell' as const) }),
      tradedAtUs: this.tradedAtUs[index]!,
    };
  }

  /** All of them, as they were encoded. */
  record(): TradeRecord {
    const indexes = Array.from({ length: this.length }, (_, index) => index);
    return {
      tradeIds: indexes.map(this.ids),
      prices: indexes.map((index) => this.prices.text(index)),
      sizes: indexes.map((index) => this.sizes.text(index)),
      sides: this.sides,
      tradedAtUs: [...this.tradedAtUs],
      receivedAtUs: [...this.receivedAtUs],
    };
  }
}

/** Ids of a block mostly lie close together; where they do not, their halves are columns. */
function writeIds(to: ByteWriter, ids: readonly string[]): void {
  const first = ids[0] ?? '0';
  const steps = stepsFrom(first, ids);
  to.unsigned(steps ? AS_STEPS : IN_HALVES);
  if (steps) {
    to.ascii(first);
    writeIntegers(to, steps);
    return;
  }
  writeIntegers(
    to,
    Float64Array.from(ids, (id) => Number(BigInt(id) / TWO_32)),
  );
  writeIntegers(
    to,
    Float64Array.from(ids, (id) => Number(BigInt(id) % TWO_32)),
  );
}

/** How far each id lies from the first; undefined where a number cannot say it. */
function stepsFrom(first: string, ids: readonly string[]): Float64Array | undefined {
  if (ids.every((id) => id.length < 16)) return Float64Array.from(ids, (id) => Number(id) - Number(first));
  const base = BigInt(first);
  const steps = Float64Array.from(ids, (id) => Number(BigInt(id) - base));
  return steps.every(Number.isSafeInteger) ? steps : undefined;
}

function readIds(from: ByteReader, length: number): (index: number) => string {
  if (from.unsigned() === IN_HALVES) {
    const high = readIntegers(from, length);
    const low = readIntegers(from, length);
    return (index) => String(BigInt(high[index]!) * TWO_32 + BigInt(low[index]!));
  }
  const first = from.ascii();
  if (!/^\d{1,19}$/.test(first)) throw new UnreadableBlock('its first id is no id');
  const steps = readIntegers(from, length);
  const base = BigInt(first);
  const isShort = first.length < 16 && steps.every((step) => step < 2 ** 52);
  return isShort ? (index) => String(Number(first) + steps[index]!) : (index) => String(base + BigInt(steps[index]!));
}

/** Runs of one side: takers come in swarms, 0.08 bytes a trade in the recorded session before compression. */
function writeSides(to: ByteWriter, sides: string): void {
  for (let start = 0; start < sides.length;) {
    let end = start + 1;
    while (end < sides.length && sides.charCodeAt(end) === sides.charCodeAt(start)) end++;
    to.unsigned((end - start) * SIDES.length + SIDES.indexOf(sides.charAt(start)));
    start = end;
  }
}

function readSides(from: ByteReader, length: number): string {
  let sides = '';
  while (sides.length < length) {
    const run = from.unsigned();
    const count = Math.floor(run / SIDES.length);
    if (count === 0 || count > length - sides.length) throw new UnreadableBlock('its sides do not add up');
    sides += SIDES.charAt(run % SIDES.length).repeat(count);
  }
  return sides;
}
