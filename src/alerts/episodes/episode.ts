import type { AlertReason } from '../../contracts/index.js';

/** What of a rule decides how verdicts become episodes. */
export type Policy = Readonly<{
  /** How long the condition must hold before it fires. */
  forUs: number;
  /** How long it must have stopped before the episode ends. */
  keepFiringForUs: number;
  /** While nothing is known: as if the condition were false, an alert of its own, or as it was before. */
  noData: 'ok' | 'alert' | 'keep';
  /** How long nothing must be known before that counts. */
  noDataAfterUs: number;
  mode: 'every' | 'once' | 'once-per-bar';
  /** Length of the bars of `once-per-bar`; they are aligned to UTC. */
  barUs: number;
  cooldownUs: number;
  expiresAtUs?: number;
  /** A condition of its own says when it ends; else it ends when the condition is false. */
  hysteresis?: boolean;
}>;

export type Phase = 'inactive' | 'pending' | 'firing' | 'recovering' | 'no-data' | 'error';

/** Where a rule stands with one series. Plain JSON. */
export type EpisodeState = Readonly<{
  phase: Phase;
  sinceUs: number;
  /** Last one seen while pending or recovering: what a transition tells that only time brings about. */
  value: number | null;
  /** What opened the episode that is open; absent while there is none. */
  open?: 'condition' | 'no-data' | 'error';
  /** Given by whoever records the episode. */
  alertId?: string;
  /** Of the stored row; absent where there is none. */
  version?: number;
  /** When time alone changes something next. */
  dueUs?: number;
  /** Since when nothing is known, until that counts as no data. */
  missingSinceUs?: number;
  /** Where it goes on once something is known again. */
  resumes?: Readonly<{ phase: 'inactive' | 'pending' | 'firing' | 'recovering'; sinceUs: number }>;
  /** A rule of mode `once` has had its episode. */
  firedOnce?: true;
  /** Start of the bar it last fired in. */
  lastBarUs?: number;
  /** A person resolved it while the condition held: it must end before it can fire again. */
  isDisarmed?: true;
}>;

export const INACTIVE: EpisodeState = { phase: 'inactive', sinceUs: 0, value: null };

export type Verdict = boolean | undefined; // undefined: no data

export type TransitionKind =
  'pending' | 'cancelled' | 'fired' | 'recovering' | 'refired' | 'resolved' | 'no-data' | 'data-back' | 'error';

export type Transition = Readonly<{
  kind: TransitionKind;
  atUs: number;
  value: number | null;
  /** Of fired, resolved and cancelled. */
  reason?: AlertReason;
  /** Of fired, where it was pending before: since when. */
  pendingSinceUs?: number;
}>;

export type Observation = Readonly<{
  atUs: number;
  /** Verdict of the condition. */
  fires: Verdict;
  /** Verdict of the resolve condition; not looked at where the policy has none. */
  resolves: Verdict;
  value: number | null;
  /** Of an unknown verdict: since when, where that is earlier than now. */
  missingSinceUs?: number;
}>;

export type Stepped = Readonly<{ state: EpisodeState; transitions: readonly Transition[] }>;

const NONE: readonly Transition[] = [];

/** One evaluation. What was due until then happens first, at its exact instant. Instants must not go back. */
export function step(state: EpisodeState, seen: Observation, policy: Policy): Stepped {
  if (changesNothing(state, seen, policy)) return { state, transitions: NONE };
  const walk = new Walk(state, policy);
  walk.pass(seen.atUs);
  if (!walk.isExpired(seen.atUs)) walk.see(seen);
  return walk.result();
}

/** Only time passed. However often it is asked in between, the transitions and their instants are the same. */
export function passTime(state: EpisodeState, nowUs: number, policy: Policy): Stepped {
  if ((state.dueUs === undefined || state.dueUs > nowUs) && !expiresWithin(state, nowUs, policy))
    return { state, transitions: NONE };
  const walk = new Walk(state, policy);
  walk.pass(nowUs);
  return walk.result();
}

/** The condition could not be evaluated: handled as no data that counts at once. */
export function fail(state: EpisodeState, atUs: number, policy: Policy): Stepped {
  if (state.phase === 'error') return { state, transitions: NONE };
  const walk = new Walk(state, policy);
  walk.pass(atUs);
  if (!walk.isExpired(atUs)) walk.lose(atUs, 'error');
  return walk.result();
}

/**
 * Ends whatever is open or pending, in every phase. After `manual` and `expired` the rest of the state is kept: mode `once` has
 * had its episode, and what still holds does not fire again at once. After an edit the rule begins anew.
 */
export function close(state: EpisodeState, atUs: number, reason: AlertReason): Stepped {
  const walk = new Walk(state, undefined);
  walk.close(atUs, reason);
  return walk.result();
}

/** The same state after an edit that moved the expiry of its rule. */
export const rescheduled = (state: EpisodeState, policy: Policy): EpisodeState =>
  new Walk(state, policy).result().state;

const expiresWithin = ({ phase }: EpisodeState, atUs: number, { expiresAtUs = Infinity }: Policy): boolean =>
  phase !== 'inactive' && expiresAtUs <= atUs;

/** Nearly every evaluation: nothing is made for these. */
function changesNothing(state: EpisodeState, { atUs, fires, resolves, missingSinceUs }: Observation, policy: Policy) {
  if (state.dueUs !== undefined && state.dueUs <= atUs) return false;
  if (state.phase === 'inactive') {
    if (policy.expiresAtUs !== undefined && policy.expiresAtUs <= atUs) return true;
    if (fires === undefined) return state.missingSinceUs !== undefined && missingSinceUs === undefined;
    return state.missingSinceUs === undefined && !fires && state.isDisarmed === undefined;
  }
  if (state.phase !== 'firing' || state.missingSinceUs !== undefined || expiresWithin(state, atUs, policy))
    return false;
  return (policy.hysteresis ? resolves : opposite(fires)) === false;
}

const opposite = (verdict: Verdict): Verdict => (verdict === undefined ? undefined : !verdict);

type Draft = { -readonly [Key in keyof EpisodeState]: EpisodeState[Key] | undefined } & {
  phase: Phase;
  sinceUs: number;
  value: number | null;
};

class Walk {
  private readonly draft: Draft;
  private readonly transitions: Transition[] = [];

  constructor(
    state: EpisodeState,
    private readonly policy: Policy | undefined,
  ) {
    this.draft = { ...state } as Draft;
  }

  isExpired(atUs: number): boolean {
    return (this.policy?.expiresAtUs ?? Infinity) <= atUs;
  }

  /** Lets happen what is due until `toUs`; nothing of it before `floorUs`. */
  pass(toUs: number, floorUs = -Infinity): void {
    const expiresUs = this.policy?.expiresAtUs ?? Infinity;
    for (;;) {
      const dueUs = Math.max(this.phaseDueUs(), floorUs);
      if (expiresUs <= toUs && expiresUs <= dueUs) return this.close(expiresUs, 'expired');
      if (dueUs > toUs) return;
      if (this.draft.missingSinceUs !== undefined) this.lose(dueUs, 'no-data');
      else if (this.draft.phase === 'pending') this.fire(dueUs);
      else this.resolve(dueUs, 'condition', this.draft.value);
    }
  }

  see(seen: Observation): void {
    const { draft, policy } = this;
    const { atUs, fires, value } = seen;
    const resolves = policy!.hysteresis ? seen.resolves : opposite(fires);
    const phase = draft.resumes?.phase ?? draft.phase;
    if ((phase === 'firing' || phase === 'recovering' ? resolves : fires) === undefined) return this.miss(seen);
    draft.missingSinceUs = undefined;
    if (draft.phase === 'no-data' || draft.phase === 'error') this.regain(atUs, value);
    switch (draft.phase) {
      case 'inactive':
        if (resolves) draft.isDisarmed = undefined;
        if (fires && !draft.isDisarmed && !this.isSpent()) {
          this.enter('pending', atUs, value);
          if (this.phaseDueUs() > atUs) this.say('pending', atUs, value);
        }
        break;
      case 'pending':
        draft.value = value;
        if (!fires) this.cancel(atUs, 'condition');
        break;
      case 'firing':
        if (resolves) {
          this.enter('recovering', atUs, value);
          if (this.phaseDueUs() > atUs) this.say('recovering', atUs, value);
        }
        break;
      case 'recovering':
        draft.value = value;
        if (!resolves) {
          this.enter('firing', atUs, value);
          this.say('refired', atUs, value);
        }
    }
    this.pass(atUs, atUs);
  }

  /** What is known no longer counts, by the rule's policy. */
  lose(atUs: number, kind: 'no-data' | 'error'): void {
    const { draft } = this;
    this.say(kind, atUs, null);
    draft.missingSinceUs = undefined;
    if (draft.phase === 'no-data' || draft.phase === 'error') {
      this.draft.phase = kind;
      return;
    }
    const { noData } = this.policy!;
    const before = { phase: draft.phase, sinceUs: draft.sinceUs };
    const keeps = noData === 'keep' || (noData === 'alert' && draft.open !== undefined);
    if (!keeps && draft.phase === 'pending') this.cancel(atUs, kind);
    if (!keeps && draft.open !== undefined) this.resolve(atUs, kind, null);
    if (noData === 'alert' && draft.open === undefined && !this.isSpent()) {
      draft.open = kind;
      this.say('fired', atUs, null, kind);
    }
    this.draft.phase = kind;
    this.draft.sinceUs = atUs;
    this.draft.resumes = keeps ? before : { phase: 'inactive', sinceUs: atUs };
  }

  close(atUs: number, reason: AlertReason): void {
    const { draft } = this;
    const instantUs = Math.max(atUs, draft.sinceUs);
    const { phase } = draft;
    const wasOpen = draft.open;
    if (phase === 'pending' || draft.resumes?.phase === 'pending') this.cancel(instantUs, reason);
    if (wasOpen !== undefined) this.resolve(instantUs, reason, null);
    draft.missingSinceUs = undefined;
    if (reason === 'manual') {
      if (wasOpen === 'condition') draft.isDisarmed = true;
      if (phase === 'no-data' || phase === 'error') {
        draft.phase = phase;
        draft.resumes = { phase: 'inactive', sinceUs: instantUs };
        return;
      }
    }
    draft.resumes = undefined;
    if (draft.phase !== 'inactive') this.enter('inactive', instantUs, null);
    if (reason === 'manual' || reason === 'expired') return;
    draft.firedOnce = draft.lastBarUs = draft.isDisarmed = undefined;
  }

  result(): Stepped {
    const { draft, transitions, policy } = this;
    const expiresUs =
      draft.phase === 'inactive' && draft.missingSinceUs === undefined ? undefined : policy?.expiresAtUs;
    const dueUs = Math.min(this.phaseDueUs(), expiresUs ?? Infinity);
    draft.dueUs = dueUs === Infinity ? undefined : dueUs;
    const entries = Object.entries(draft).filter(([, value]) => value !== undefined);
    return { state: Object.fromEntries(entries) as EpisodeState, transitions };
  }

  /** When time alone ends the phase; Infinity: never. */
  private phaseDueUs(): number {
    const { phase, sinceUs, missingSinceUs, lastBarUs } = this.draft;
    const { policy } = this;
    if (!policy || phase === 'no-data' || phase === 'error') return Infinity;
    if (missingSinceUs !== undefined) return missingSinceUs + policy.noDataAfterUs;
    if (phase === 'recovering') return sinceUs + policy.keepFiringForUs;
    if (phase !== 'pending') return Infinity;
    const barEndUs = lastBarUs === undefined ? -Infinity : lastBarUs + policy.barUs;
    return Math.max(sinceUs + policy.forUs, policy.mode === 'once-per-bar' ? barEndUs : -Infinity);
  }

  private isSpent(): boolean {
    return this.policy!.mode === 'once' && this.draft.firedOnce === true;
  }

  /** Nothing is known: pending and recovering wait, until it has lasted long enough to count. */
  private miss({ atUs, missingSinceUs = atUs }: Observation): void {
    const { draft } = this;
    if (draft.phase === 'no-data' || draft.phase === 'error') return;
    draft.missingSinceUs = Math.min(draft.missingSinceUs ?? atUs, missingSinceUs);
    this.pass(atUs, atUs);
  }

  private regain(atUs: number, value: number | null): void {
    const { draft } = this;
    const { phase, sinceUs } = draft.resumes ?? { phase: 'inactive', sinceUs: atUs };
    this.say('data-back', atUs, value);
    if (draft.open === 'no-data' || draft.open === 'error') this.resolve(atUs, draft.open, value);
    draft.phase = phase;
    draft.sinceUs = phase === 'inactive' ? atUs : sinceUs;
    draft.resumes = undefined;
  }

  private fire(atUs: number): void {
    const { draft } = this;
    const { mode, barUs } = this.policy!;
    const pendingSinceUs = draft.sinceUs < atUs ? draft.sinceUs : undefined;
    this.say('fired', atUs, draft.value, 'condition', pendingSinceUs);
    this.enter('firing', atUs, draft.value);
    draft.open = 'condition';
    draft.alertId = undefined;
    if (mode === 'once') draft.firedOnce = true;
    if (mode === 'once-per-bar') draft.lastBarUs = Math.floor(atUs / barUs) * barUs;
  }

  private resolve(atUs: number, reason: AlertReason, value: number | null): void {
    this.say('resolved', atUs, value, reason);
    this.enter('inactive', atUs, null);
    this.draft.open = this.draft.alertId = undefined;
  }

  private cancel(atUs: number, reason: AlertReason): void {
    this.say('cancelled', atUs, reason === 'condition' ? this.draft.value : null, reason);
    this.enter('inactive', atUs, null);
  }

  private enter(phase: Phase, atUs: number, value: number | null): void {
    this.draft.phase = phase;
    this.draft.sinceUs = atUs;
    this.draft.value = value;
  }

  private say(
    kind: TransitionKind,
    atUs: number,
    value: number | null,
    reason?: AlertReason,
    pendingSinceUs?: number,
  ): void {
    this.transitions.push({
      kind,
      atUs,
      value,
      ...(reason !== undefined && { reason }),
      ...(pendingSinceUs !== undefined && { pendingSinceUs }),
    });
  }
}
