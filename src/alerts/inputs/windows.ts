import type { InputRef, VariableName } from '../conditions/index.js';
import type { FoldName, Minutes } from './minutes.js';
import { quietMinutes, SpreadStretch, Stretch } from './stretch.js';

export type WindowRef = Extract<InputRef, { kind: 'window' }>;

/** One input; the minute of now and the last price, which may be no trade's, are given. NaN where there is no data. */
export type Reader = (now: number, price: number) => number;

/**
 * Windows end in one of two ways. `sum`, `change` and `change_pct` run up to now: n minutes, the last of them open. What
 * something is compared with (`avg`, `min`, `max`, `stddev`) is made of the n minutes before the open one: a breakout is no
 * part of the high that it breaks, nor a burst of the average that it stands out from.
 */
export function windowReader(minutes: Minutes, { fn, of, minutes: n }: WindowRef): Reader {
  return of === 'price' ? priceWindow(minutes, fn, n) : volumeWindow(minutes, fn, n);
}

/** Minutes kept back from now that a window reads, the one included whose close its change counts from. */
export const minutesRead = ({ fn, of, minutes }: Pick<WindowRef, 'fn' | 'of' | 'minutes'>): number =>
  of === 'volume' && isChange(fn) ? 2 * minutes : minutes + 1;

function priceWindow(minutes: Minutes, fn: WindowRef['fn'], n: number): Reader {
  switch (fn) {
    case 'avg': {
      const sum = sumOfCloses(minutes);
      return before(minutes, n, (from, to) => sum(from, to) / n);
    }
    case 'min':
    case 'max':
      return before(minutes, n, extreme(minutes, fn));
    case 'stddev': {
      const spread = new SpreadStretch(minutes, 'close');
      return before(minutes, n, (from, to) => spread.fold(from, to));
    }
    case 'sum':
      return upToNow(minutes, n, sumOfCloses(minutes));
    case 'change':
    case 'change_pct':
      return (now, price) => {
        const from = now - n;
        return isWhole(minutes, from) ? change(fn, price, minutes.closeOf(from)) : NaN;
      };
  }
}

function volumeWindow(minutes: Minutes, fn: WindowRef['fn'], n: number): Reader {
  switch (fn) {
    case 'avg': {
      const sum = new Stretch(minutes, 'volume');
      return before(minutes, n, (from, to) => sum.fold(from, to) / n);
    }
    case 'min':
    case 'max': {
      const found = new Stretch(minutes, fn === 'min' ? 'leastVolume' : 'mostVolume');
      return before(minutes, n, (from, to) => {
        const volume = found.fold(from, to);
        return quietMinutes(minutes, from, to) === 0 ? volume : fn === 'min' ? 0 : Math.max(volume, 0);
      });
    }
    case 'stddev': {
      const spread = new SpreadStretch(minutes, 'volume');
      return before(minutes, n, (from, to) => spread.fold(from, to));
    }
    case 'sum': {
      const sum = new Stretch(minutes, 'volume');
      return upToNow(minutes, n, (from, to) => sum.fold(from, to));
    }
    case 'change':
    case 'change_pct': {
      const [here, there] = [new Stretch(minutes, 'volume'), new Stretch(minutes, 'volume')];
      return upToNow(minutes, 2 * n, (from, to) => change(fn, here.fold(from + n, to), there.fold(from, to - n)));
    }
  }
}

type OfStretch = (from: number, to: number) => number;

/** The n minutes before the open one. */
function before(minutes: Minutes, n: number, value: OfStretch): Reader {
  return (now) => (isWhole(minutes, now - n) ? value(now - n, now - 1) : NaN);
}

/** The n minutes that end with the open one. */
function upToNow(minutes: Minutes, n: number, value: OfStretch): Reader {
  return (now) => (isWhole(minutes, now - n + 1) ? value(now - n + 1, now) : NaN);
}

/** Everything is known from that minute on. */
export const isWhole = (minutes: Minutes, from: number): boolean => minutes.first <= from && minutes.touched < from;

/** Lows and highs of the trades, and the price that stood when the first minute was quiet. */
function extreme(minutes: Minutes, fn: 'min' | 'max'): OfStretch {
  const found = new Stretch(minutes, fn === 'min' ? 'low' : 'high');
  const join = fn === 'min' ? Math.min : Math.max;
  return (from, to) => {
    const traded = found.fold(from, to);
    return minutes.hasTrade(from) ? traded : join(traded, minutes.closeOf(from));
  };
}

/** A quiet minute holds the close before it. */
function sumOfCloses(minutes: Minutes): OfStretch {
  const sum = new Stretch(minutes, 'closes');
  return (from, to) => sum.fold(from, to) + quietMinutes(minutes, from, to) * minutes.newest('close');
}

/** Whether the open minute is part of it. */
export const runsToNow = (fn: WindowRef['fn']): boolean => fn === 'sum' || isChange(fn);

const isChange = (fn: WindowRef['fn']): boolean => fn === 'change' || fn === 'change_pct';

const change = (fn: 'change' | 'change_pct', to: number, from: number): number =>
  fn === 'change' ? to - from : percent(to, from);

/** By how many percent `to` is above `from`. */
export const percent = (to: number, from: number): number => (100 * (to - from)) / from;

const DAY = 1440;
/** Minutes kept back from now that the figures of 24 h read. */
export const DAY_READ = DAY + 1;

const TOTALS = {
  volume_24h: 'volume',
  quote_volume_24h: 'quoteVolume',
  trades_24h: 'trades',
} as const satisfies Record<string, FoldName>;
export const isOfDay = (name: VariableName): name is DayName => name.endsWith('_24h');
export type DayName = keyof typeof TOTALS | 'change_24h' | 'high_24h' | 'low_24h';

/**
 * The last 1,440 minutes, the open one included, or as many as there are of a series that is younger: nothing that was
 * recorded is missing in them.
 */
function ofDay(minutes: Minutes, value: OfStretch): Reader {
  return (now) => {
    const from = now - DAY + 1;
    if (isWhole(minutes, from)) return value(from, now);
    return minutes.beginsSeries && minutes.touched < from ? value(minutes.first, now) : NaN;
  };
}

/**
 * The figures of `GET 24h-change`. The day opens with its first trade's price;
 * that of a polled series with the value that stood, which then is part of its range too.
 */
export function dayReader(minutes: Minutes, name: DayName, isPolled: boolean): Reader {
  if (name === 'volume_24h' || name === 'quote_volume_24h' || name === 'trades_24h') {
    const total = new Stretch(minutes, TOTALS[name]);
    return ofDay(minutes, (from, to) => total.fold(from, to));
  }
  const stood = (from: number): number => (isPolled && minutes.first < from ? minutes.closeOf(from - 1) : NaN);
  if (name === 'change_24h') {
    const open = new Stretch(minutes, 'open');
    return ofDay(minutes, (from, to) => {
      const opened = stood(from);
      return percent(minutes.newest('close'), Number.isNaN(opened) ? open.fold(from, to) : opened);
    });
  }
  const [column, join] = name === 'high_24h' ? (['high', Math.max] as const) : (['low', Math.min] as const);
  const traded = new Stretch(minutes, column);
  return ofDay(minutes, (from, to) => {
    const opened = stood(from);
    const found = traded.fold(from, to);
    return Number.isNaN(opened) ? found : join(found, opened);
  });
}
