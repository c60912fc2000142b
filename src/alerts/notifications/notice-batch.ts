import { heldUntilUs, isRunaway, type LastTold } from './hold.js';
import type { Notice } from '../messages/notice.js';
import type { NotificationState, StoppedRule } from './notification.js';
import type { NotificationSettings } from '../channels/notification-settings.js';

export type SeriesOfRule = Readonly<{ ruleId: string; source: string; symbol: string }>;

/** A firing of an alert, on one channel. */
export type Firing = Readonly<{
  id: string;
  alertId: string;
  kind: Notice['kind'];
  channel: string;
  thread: string;
  state: NotificationState;
  held: number;
}>;

/** What a channel was told last of a rule and series, and how many were held back since. */
export type Told = SeriesOfRule & Readonly<{ channel: string; last: LastTold | undefined; held: number }>;

/** All that bears on the notices of a batch, as it was before them. */
export type Known = Readonly<{
  nowUs: number;
  settings: NotificationSettings;
  firings: readonly Firing[];
  told: readonly Told[];
  /** Until when rules are stopped. */
  stopped: ReadonlyMap<string, number>;
  /** Alerts whose firing went out within the window of the runaway guard. */
  recent: readonly (SeriesOfRule & Readonly<{ alertId: string }>)[];
  /** Names that no channel has by now. */
  gone: ReadonlySet<string>;
}>;

export type NewNotification = Readonly<{
  id: string;
  thread: string;
  notice: Notice;
  channel: string;
  state: 'pending' | 'held';
  dueUs: number;
  held: number;
  reason?: 'cooldown' | 'runaway';
  payload: Notice & Readonly<{ isMerged?: true; stoppedUntilUs?: number }>;
}>;

/** A notification that need not go out any more. */
export type Ending = Readonly<{ id: string; state: 'superseded' | 'suppressed' }>;

type Ledger = SeriesOfRule & {
  readonly channel: string;
  last: LastTold | undefined;
  held: number;
  /** Whether `last` is of this batch, and how many of `held` are. */
  isNew: boolean;
  added: number;
};

/** Decides on notices in their order, each on what the ones before it left. */
export class NoticeBatch {
  readonly queued: NewNotification[] = [];
  readonly ended: Ending[] = [];
  readonly stopped: StoppedRule[] = [];
  /** Resolves whose channel is gone. */
  unheard = 0;
  private readonly firings: Map<string, Firing[]>;
  private readonly ledgers = new Map<string, Ledger>();
  private readonly stoppedUntilUs: Map<string, number>;
  private readonly recent = new Map<string, { alerts: Set<string>; series: Set<string> }>();

  constructor(
    private readonly known: Known,
    private readonly newId: () => string,
  ) {
    this.firings = Map.groupBy(known.firings, ({ alertId }) => alertId);
    this.stoppedUntilUs = new Map(known.stopped);
    for (const told of known.told) this.ledgers.set(toldKey(told.channel, told), { ...told, isNew: false, added: 0 });
    for (const one of known.recent) this.goesOut(one.ruleId, one);
  }

  /** `last` undefined: what was told last stays, and `held` comes on top. */
  get told(): Told[] {
    return [...this.ledgers.values()]
      .filter(({ isNew, added }) => isNew || added > 0)
      .map(({ last, held: _held, isNew, added, ...key }) => ({ ...key, last: isNew ? last : undefined, held: added }));
  }

  /** `channels` exist. A resolve goes to those of its firing that do, whatever they are. */
  add(notice: Notice, channels: readonly string[]): void {
    if (notice.kind !== 'resolved') return this.fire(notice, channels);
    const firings = this.firings.get(notice.alertId) ?? [];
    for (const [channel, those] of Map.groupBy(firings, (one) => one.channel))
      if (this.known.gone.has(channel)) this.unheard++;
      else this.resolve(notice, channel, those);
  }

  private fire(notice: Notice, channels: readonly string[]): void {
    const { nowUs, settings } = this.known;
    const { alertId, ruleId, kind, severity } = notice;
    const stoppedUntilUs = ruleId === null ? undefined : this.stoppedUntilUs.get(ruleId);
    const due: string[] = [];
    for (const channel of channels) {
      if (this.firings.get(alertId)?.some((one) => one.kind === kind && one.channel === channel)) continue; // queued before
      const untilUs = heldUntilUs(notice, this.ledgerOf(channel, notice)?.last, stoppedUntilUs, nowUs);
      if (untilUs === undefined) due.push(channel);
      else {
        const reason = untilUs === stoppedUntilUs ? 'runaway' : 'cooldown';
        this.queue(channel, { notice, state: 'held', dueUs: untilUs, held: 0, reason, payload: notice });
      }
    }
    if (due.length === 0) return;
    const stops = ruleId !== null && stoppedUntilUs === undefined && this.isOneTooMany(ruleId);
    const payload = stops ? { ...notice, stoppedUntilUs: this.stop(ruleId) } : notice;
    if (ruleId !== null) this.goesOut(ruleId, notice);
    for (const channel of due) {
      const ledger = this.ledgerOf(channel, notice);
      const held = ledger?.held ?? 0;
      if (ledger) Object.assign(ledger, { last: { atUs: nowUs, kind, severity }, held: 0, isNew: true, added: 0 });
      this.queue(channel, { notice, state: 'pending', dueUs: nowUs + settings.groupWaitMs * 1000, held, payload });
    }
  }

  private resolve(notice: Notice, channel: string, firings: readonly Firing[]): void {
    const { nowUs, settings } = this.known;
    const waiting = firings.filter(({ state }) => state === 'held');
    const undelivered = firings.filter(({ state }) => state === 'pending' || state === 'dead');
    for (const one of waiting) this.end(one, 'suppressed');
    for (const one of undelivered) this.end(one, 'superseded');
    const ledger = waiting.length > 0 ? this.ledgerOf(channel, notice) : undefined;
    if (ledger) {
      ledger.held += waiting.length;
      ledger.added += waiting.length;
    }
    const isTold = firings.some(({ state }) => state === 'sent' || state === 'sending');
    if (!isTold && undelivered.length === 0) return;
    this.queue(channel, {
      notice,
      state: 'pending',
      dueUs: nowUs + settings.groupWaitMs * 1000,
      held: undelivered.reduce((sum, { held }) => sum + held, 0),
      payload: {
        ...notice,
        ...(!isTold && { isMerged: true }),
      },
    });
  }

  /** Undefined for an alert that a person raised: nothing limits its repeats. */
  private ledgerOf(channel: string, { ruleId, source, symbol }: Notice): Ledger | undefined {
    if (ruleId === null) return undefined;
    const series = { ruleId, source, symbol };
    const key = toldKey(channel, series);
    const ledger = this.ledgers.get(key) ?? { ...series, channel, last: undefined, held: 0, isNew: false, added: 0 };
    this.ledgers.set(key, ledger);
    return ledger;
  }

  private isOneTooMany(ruleId: string): boolean {
    const { alerts, series } = this.recent.get(ruleId) ?? NONE;
    return isRunaway({ notices: alerts.size, series: series.size }, this.known.settings.runawayMost);
  }

  /** Those after it wait; until when. */
  private stop(ruleId: string): number {
    const { nowUs, settings } = this.known;
    const untilUs = nowUs + settings.runawayHoldMs * 1000;
    const notices = (this.recent.get(ruleId) ?? NONE).alerts.size + 1;
    this.stoppedUntilUs.set(ruleId, untilUs);
    this.stopped.push({ ruleId, stoppedAtUs: nowUs, untilUs, notices });
    return untilUs;
  }

  private goesOut(ruleId: string, of: Readonly<{ alertId: string; source: string; symbol: string }>): void {
    const recent = this.recent.get(ruleId) ?? { alerts: new Set(), series: new Set() };
    recent.alerts.add(of.alertId);
    recent.series.add(`${of.source}\n${of.symbol}`);
    this.recent.set(ruleId, recent);
  }

  private queue(channel: string, one: Omit<NewNotification, 'id' | 'thread' | 'channel'>): void {
    const { alertId, kind } = one.notice;
    const id = this.newId();
    const firings = this.firings.get(alertId) ?? [];
    const thread = firings.find((firing) => firing.channel === channel)?.thread ?? id;
    this.queued.push({ ...one, id, thread, channel });
    if (kind === 'resolved') return;
    firings.push({ id, alertId, kind, channel, thread, state: one.state, held: one.held });
    this.firings.set(alertId, firings);
  }

  private end(firing: Firing, state: Ending['state']): void {
    this.ended.push({ id: firing.id, state });
    const firings = this.firings.get(firing.alertId)!;
    firings[firings.indexOf(firing)] = { ...firing, state };
  }
}

const NONE = { alerts: new Set<string>(), series: new Set<string>() };

const toldKey = (channel: string, { ruleId, source, symbol }: SeriesOfRule): string =>
  [channel, ruleId, source, symbol].join('\n');
