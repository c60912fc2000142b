import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DETECTORS } from '../../contracts/index.js';
import { studentT } from './band.js';
import { Detector, type DetectorOptions, type DetectorState, type Finding } from './detector.js';
import { SampleWindow } from './sample-window.js';

const OPTIONS: DetectorOptions = {
  detector: 'zscore',
  threshold: 5.5,
  window: 200,
  warmUp: 30,
  refractory: 60,
  minMove: 0,
  direction: 'both',
};

const detector = (changed: Partial<DetectorOptions> = {}): Detector => Detector.fresh({ ...OPTIONS, ...changed });

/** Numbers about 0 with a standard deviation of about 1, the same in every run. */
function* noise(seed = 7): Generator<number, never> {
  for (let state = seed; ;) {
    let sum = 0;
    for (let i = 0; i < 12; i++) {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      sum += state / 2 ** 31;
    }
    yield sum - 6;
  }
}

function feed(one: Detector, values: Iterable<number>): Finding[] {
  const told: Finding[] = [];
  for (const value of values) {
    const finding = one.add(value);
    if (finding) told.push(finding);
  }
  return told;
}

const some = (count: number, of: Iterator<number> = noise()): number[] =>
  Array.from({ length: count }, () => of.next().value as number);

describe.each(DETECTORS)('the detector %s', (name) => {
  it('says that it warms up, and scores nothing meanwhile', () => {
    const one = detector({ detector: name });
    expect(feed(one, [...some(28), 1e9])).toEqual([]);
    expect(one.last).toEqual({
      state: 'warming-up',
      score: null,
      threshold: null,
      expected: null,
      lower: null,
      upper: null,
      n: 28,
      reason: '28 of 30 samples',
    });
  });

  it('finds nothing in noise, and a jump out of it both ways', () => {
    const one = detector({ detector: name });
    expect(feed(one, some(1000))).toEqual([]);
    expect(one.last).toMatchObject({ state: 'normal', n: 200, reason: null });
    expect(one.add(20)).toMatchObject({ direction: 'up', value: 20 });
    const other = detector({ detector: name });
    feed(other, some(1000));
    const drop = other.add(-20)!;
    expect(drop).toMatchObject({ direction: 'down', value: -20 });
    expect(drop.score).toBeGreaterThanOrEqual(drop.threshold);
    expect(drop.lower).toBeGreaterThan(-20);
    expect(drop.upper).toBeLessThan(20);
  });

  it('says of a constant series at 0 that it cannot tell, and makes no infinity of the first step', () => {
    const one = detector({ detector: name });
    expect(feed(one, [...Array<number>(100).fill(0), 5])).toEqual([]);
    expect(one.last).toMatchObject({ state: 'insufficient-variance', score: null, reason: 'all samples are alike' });
  });

  it('scores a step of a constant series by the least move, where there is one', () => {
    const one = detector({ detector: name, minMove: 0.5 });
    feed(one, Array<number>(100).fill(0));
    expect(one.add(0.4)).toBeUndefined();
    const step = one.add(1.2)!;
    expect(step.severity).toBe('high');
    expect(step.upper).toBeCloseTo(0.5, 1);
  });

  it('keeps a finite scale where more than half of the samples are alike', () => {
    const one = detector({ detector: name });
    const mostlyZero = some(200).map((value, at) => (at % 4 === 0 ? value : 0));
    const scores = [...mostlyZero, ...mostlyZero].map((value) => (one.add(value), one.last.score ?? 0));
    expect(Math.max(...scores)).toBeGreaterThan(0);
    expect(Math.max(...scores)).toBeLessThan(20);
  });

  it('is not blinded by one bad tick', () => {
    const one = detector({ detector: name, refractory: 0 });
    const values = noise();
    feed(one, some(300, values));
    expect(one.add(1e15)).toMatchObject({ severity: 'critical' });
    feed(one, some(60, values));
    expect(one.last.upper!).toBeLessThan(20);
    expect(one.add(20)).toMatchObject({ direction: 'up' });
  });

  it('takes a new level for normal once it lasted as long as a warm-up, and tells it once', () => {
    const one = detector({ detector: name });
    const values = noise();
    feed(one, some(300, values));
    expect(
      feed(
        one,
        some(500, values).map((value) => value + 50),
      ),
    ).toHaveLength(1);
    expect(one.last).toMatchObject({ state: 'normal' });
    expect(one.last.expected!).toBeGreaterThan(45);
  });

  it('goes on to the same bits when it is stored and restored anywhere', () => {
    const sample = fc.oneof(
      { weight: 20, arbitrary: fc.double({ min: -3, max: 3, noNaN: true }) },
      { weight: 1, arbitrary: fc.double({ min: -1e6, max: 1e6, noNaN: true }) },
      { weight: 1, arbitrary: fc.constantFrom(0, 1e15, -1e15) },
    );
    fc.assert(
      fc.property(fc.array(sample, { minLength: 20, maxLength: 300 }), fc.nat(300), fc.nat(3), (values, cut, moved) => {
        const options = { ...OPTIONS, detector: name, window: 40, warmUp: 10, refractory: 20, minMove: moved };
        const live = Detector.fresh(options);
        let resumed = Detector.fresh(options);
        const [told, toldResumed]: [unknown[], unknown[]] = [[], []];
        for (const [at, value] of values.entries()) {
          if (at === cut) {
            const state = JSON.parse(JSON.stringify(resumed.state)) as DetectorState;
            resumed = Detector.restore(options, state, resumed.samples());
          }
          told.push(live.add(value), live.last);
          toldResumed.push(resumed.add(value), resumed.last);
        }
        expect(toldResumed).toEqual(told);
        expect(resumed.samples()).toEqual(live.samples());
      }),
    );
  });
});

describe('a detector', () => {
  it('scores a sample before it learns it', () => {
    const one = detector({ warmUp: 10 });
    feed(one, [1, -1, 1, -1, 1, -1, 1, -1, 1, -1]);
    // with the sample itself in the window no z-score of eleven can exceed (n - 1) / √n = 3.02
    expect(one.add(100)!.score).toBeGreaterThan(90);
  });

  it('does not tell an alarm again while it lasts, but tells what is twice as bad', () => {
    const one = detector();
    const values = noise();
    feed(one, some(300, values));
    expect(feed(one, [10, 11, 12, 13])).toHaveLength(1);
    expect(one.last).toMatchObject({ state: 'alarming', reason: 'told before' });
    expect(feed(one, [25])).toMatchObject([{ direction: 'up', value: 25 }]);
    expect(feed(one, [-26, 40])).toEqual([]);
  });

  it('is armed again only after the refractory time and thirty calm samples', () => {
    const one = detector();
    const values = noise();
    feed(one, [...some(300, values), 10, ...some(58, values)]);
    expect(one.add(10)).toBeUndefined();
    feed(one, some(29, values));
    expect(one.last.state).toBe('alarming');
    feed(one, some(1, values));
    expect(one.last.state).toBe('normal');
    expect(one.add(10)).toBeDefined();
  });

  it('does not page in a quiet market, however many deviations a small move is', () => {
    const quiet = some(300).map((value) => value / 1e6);
    const nervous = detector();
    feed(nervous, quiet);
    expect(nervous.add(0.0004)!.score).toBeGreaterThan(300);
    const shipped = detector({ minMove: 0.005 });
    feed(shipped, quiet);
    expect(shipped.add(0.0004)).toBeUndefined();
    expect(shipped.add(0.0051)).toMatchObject({ severity: 'low' });
  });

  it('counts severity in thresholds', () => {
    const severities = [1, 1.6, 2.1, 3.1].map((times) => {
      const one = detector({ minMove: 1 });
      feed(one, Array<number>(100).fill(0));
      return one.add(times)?.severity;
    });
    expect(severities).toEqual(['low', 'medium', 'high', 'critical']);
  });

  it('ignores the way down where only up is an anomaly', () => {
    const one = detector({ direction: 'up' });
    feed(one, some(300));
    expect(one.add(-50)).toBeUndefined();
    expect(one.last).toMatchObject({ state: 'normal', score: 0 });
  });
});

describe('the prediction interval', () => {
  it("has Student's quantiles, also far out", () => {
    const table: [z: number, degrees: number, t: number][] = [
      [1.959964, 10, 2.2281],
      [1.959964, 30, 2.0423],
      [2.575829, 20, 2.8453],
      [3.290527, 29, 3.6594],
      [1.959964, 1000, 1.9623],
    ];
    for (const [z, degrees, t] of table) expect(Math.abs(studentT(z, degrees) / t - 1)).toBeLessThan(0.01);
  });

  it('is wider with few samples than with many', () => {
    const [few, many] = [detector({ detector: 'prediction-interval' }), detector({ detector: 'prediction-interval' })];
    const values = some(201);
    feed(few, values.slice(0, 31));
    feed(many, values);
    expect(few.last.threshold!).toBeGreaterThan(1.2 * many.last.threshold!);
    expect(many.last.threshold!).toBeGreaterThan(5.5);
  });
});

describe('the window of samples', () => {
  /** Two passes, which lose nothing. */
  function exactly(values: Float64Array): { mean: number; deviation: number } {
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, deviation: Math.sqrt(squares / (values.length - 1)) };
  }

  it('keeps its variance at the level of a price of 1e9 over a million samples, where a sum of squares loses it', () => {
    const window = new SampleWindow(1000);
    const values = noise();
    let [sum, squares] = [0, 0];
    const kept: number[] = [];
    for (let at = 0; at < 1_000_000; at++) {
      const value = 1e9 + (values.next().value as number) * 0.3;
      window.add(value);
      kept.push(value);
      sum += value;
      squares += value * value;
      if (at < 1000) continue;
      const gone = kept[at - 1000]!;
      sum -= gone;
      squares -= gone * gone;
    }
    const { deviation } = exactly(window.samples());
    expect(window.standardDeviation / deviation).toBeCloseTo(1, 6);
    expect(Math.abs((squares - sum ** 2 / 1000) / 999 / deviation ** 2 - 1)).toBeGreaterThan(1);
  });

  it('is exact again as soon as a tick of 1e15 has left it', () => {
    const window = new SampleWindow(100);
    const values = noise();
    for (const value of [1e15, ...some(100, values)]) window.add(value);
    const { mean, deviation } = exactly(window.samples());
    expect(window.mean).toBeCloseTo(mean, 9);
    expect(window.standardDeviation).toBeCloseTo(deviation, 9);
  });

  it('has the mean and deviation of what is in it, whatever came before', () => {
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 2, maxLength: 200 }),
        fc.integer({ min: 2, max: 50 }),
        (values, size) => {
          const window = new SampleWindow(size);
          for (const one of values) window.add(one);
          expect([...window.samples()]).toEqual(values.slice(-size));
          const { mean, deviation } = exactly(window.samples());
          const tolerance = 1e-6 * (1 + Math.max(...values.map(Math.abs)));
          expect(Math.abs(window.mean - mean)).toBeLessThan(tolerance);
          expect(Math.abs(window.standardDeviation - deviation)).toBeLessThan(tolerance);
        },
      ),
    );
  });
});
