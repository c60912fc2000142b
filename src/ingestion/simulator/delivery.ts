import { before, broken, type Connection, type Held, negative } from './connection.js';
import type { Face, Spoken, Text, VenueLimits } from './faces/face.js';
import { type Fault, faultAmong, type Faults } from './faults.js';
import type { Tape, TapeFrame } from './tape.js';

const A_STREAM_AT_ONCE = 500;
const NOTHING: readonly Fault[] = [];
const DROPPED: readonly Fault[] = [{ kind: 'drop' }];

type Market = Readonly<{
  face: Face;
  tape: Tape;
  faults: Faults;
  limits: VenueLimits;
  counts: { framesSent: number; tradesSent: number };
  /** Ends the connection with that code; nothing more is sent to it. */
  end: (connection: Connection, code: number, reason: string) => void;
}>;

/** Sends connections what their streams have to say, with whatever goes wrong with it. */
export class Delivery {
  private tradesSaid = 0;

  constructor(private readonly market: Market) {}

  /** True when the connection has all that was to be said by now. */
  deliver(connection: Connection, nowUs: number): boolean {
    const nowMs = Date.now();
    if (this.isHeldUp(connection, nowMs) || nowMs - connection.toldMs < (this.market.face.gatherMs ?? 0)) return false;
    const { spoken, more } = this.due(connection, nowUs);
    if (!more) connection.toldMs = nowMs;
    let sound: Spoken[] = [];
    for (const each of spoken) {
      connection.streams.get(each.stream)!.cursor = each.frame.cursor;
      const strikes = each.frame.trade ? this.struck(connection, each) : NOTHING;
      if (strikes.length === 0) {
        sound.push(each);
        continue;
      }
      this.tell(connection, sound, nowUs);
      sound = [];
      if (!this.tellStruck(connection, each, strikes, nowUs)) return false;
    }
    this.tell(connection, sound, nowUs);
    this.release(connection, nowUs);
    return !more;
  }

  /** Nothing can be sent now. */
  isHeldUp({ socket, silentUntilMs, isMute }: Connection, nowMs: number): boolean {
    return isMute || nowMs < silentUntilMs || socket.bufferedAmount > this.market.limits.bufferedBytes;
  }

  send(connection: Connection, text: Text): void {
    connection.socket.send(typeof text === 'string' ? text : text(connection.sequence++));
    connection.spokeMs = Date.now();
    this.market.counts.framesSent++;
  }

  /** What the connection's streams have to say, in the order it happened; at most A_STREAM_AT_ONCE of each. */
  private due(connection: Connection, nowUs: number): { spoken: Spoken[]; more: boolean } {
    let spoken: Spoken[] = [];
    let horizon: TapeFrame | undefined;
    for (const { stream, symbol, cursor } of connection.streams.values()) {
      const frames = this.market.tape.framesAfter(stream, cursor, A_STREAM_AT_ONCE, nowUs);
      const last = frames.at(-1);
      if (last && frames.length === A_STREAM_AT_ONCE && (!horizon || before(last, horizon) < 0)) horizon = last;
      for (const frame of frames) spoken.push({ stream, symbol, frame });
    }
    if (connection.streams.size > 1) spoken.sort((a, b) => before(a.frame, b.frame));
    const until = horizon;
    if (until) spoken = spoken.filter(({ frame }) => before(frame, until) <= 0);
    return { spoken, more: until !== undefined };
  }

  private struck(connection: Connection, { stream, frame }: Spoken): readonly Fault[] {
    const gap = connection.gaps.get(stream) ?? 0;
    if (gap > 0) {
      connection.gaps.set(stream, gap - 1);
      return DROPPED;
    }
    // a recording's places are fixed; in a market they are counted as they come
    const place = this.market.tape.session ? frame.order : this.tradesSaid++;
    return this.market.faults.strike(stream, frame.order, place);
  }

  /** Sends one trade with whatever goes wrong with it; false when nothing more can be sent now. */
  private tellStruck(connection: Connection, spoken: Spoken, strikes: readonly Fault[], nowUs: number): boolean {
    const { face, end } = this.market;
    const { talk } = connection;
    const close = faultAmong(strikes, 'disconnect') ? { code: 1006 } : faultAmong(strikes, 'close');
    if (close) {
      end(connection, close.code, '');
      return false;
    }
    const gap = faultAmong(strikes, 'gap');
    if (gap) connection.gaps.set(spoken.stream, gap.trades - 1);
    const extra: Text[] = [];
    if (faultAmong(strikes, 'badFrame'))
      for (const text of face.tell(talk, [spoken], nowUs)) extra.push((sequence) => broken(resolved(text, sequence)));
    if (faultAmong(strikes, 'errorFrame')) extra.push(face.error(talk, nowUs));
    if (faultAmong(strikes, 'negative'))
      extra.push(...face.tell(talk, [{ ...spoken, frame: negative(spoken.frame) }], nowUs));
    if (faultAmong(strikes, 'priceOnly') && face.tellPriceOnly) extra.push(face.tellPriceOnly(talk, spoken, nowUs));
    for (const text of extra) this.send(connection, text);

    if (gap || faultAmong(strikes, 'drop')) connection.sequence++;
    else this.tellAnyhow(connection, spoken, strikes, nowUs);

    const shutdown = faultAmong(strikes, 'shutdown');
    if (shutdown) {
      if (face.shutdown) this.send(connection, face.shutdown(talk, nowUs));
      connection.endsMs = Math.min(connection.endsMs, Date.now() + shutdown.afterMs);
    }
    const stall = faultAmong(strikes, 'stall');
    if (stall) connection.silentUntilMs = Date.now() + stall.forMs;
    if (faultAmong(strikes, 'mute')) connection.isMute = true;
    return !stall && !connection.isMute;
  }

  /** Twice, late or in another unit. */
  private tellAnyhow(connection: Connection, spoken: Spoken, strikes: readonly Fault[], nowUs: number): void {
    const late = faultAmong(strikes, 'reorder');
    const inWrongUnit = faultAmong(strikes, 'wrongUnit');
    for (let copies = faultAmong(strikes, 'repeat') ? 2 : 1; copies > 0; copies--) {
      if (late) connection.held.push({ ...spoken, dueUs: spoken.frame.atUs + late.lateUs });
      else if (inWrongUnit) {
        this.send(connection, this.market.face.tellInWrongUnit(connection.talk, spoken, nowUs));
        this.market.counts.tradesSent++;
      } else this.tell(connection, [spoken], nowUs);
    }
  }

  /** Held frames whose time has come; at the end of a session nothing is held back. */
  private release(connection: Connection, nowUs: number): void {
    if (connection.held.length === 0) return;
    const { session } = this.market.tape;
    const over = session !== undefined && nowUs >= session.toUs;
    const [now, later]: [Held[], Held[]] = [[], []];
    for (const held of connection.held) (over || held.dueUs <= nowUs ? now : later).push(held);
    connection.held = later;
    now.sort((a, b) => a.dueUs - b.dueUs);
    for (const held of now) this.tell(connection, [held], nowUs);
  }

  private tell(connection: Connection, spoken: readonly Spoken[], nowUs: number): void {
    if (spoken.length === 0) return;
    for (const text of this.market.face.tell(connection.talk, spoken, nowUs)) this.send(connection, text);
    for (const { frame } of spoken) if (frame.trade) this.market.counts.tradesSent++;
  }
}

function resolved(text: Text, sequence: number): string {
  return typeof text === 'string' ? text : text(sequence);
}
