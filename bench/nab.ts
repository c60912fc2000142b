import { parseArgs } from 'node:util';
import { Detector } from '../src/aggregation/anomalies/detector.js';
import { optionsOf } from '../src/aggregation/anomalies/watched.js';
import { DETECTORS } from '../src/contracts/index.js';
import { counts, type Labelled, nabScore, type Profile, PROFILES } from './nab-score.js';
import { readNab } from './nab-series.js';

/**
 * What the detectors reach on the labelled series of the Numenta Anomaly Benchmark: raw values, the parameters that are
 * shipped for custom series, one threshold for all. Exits non-zero when the default detector is below 45.
 */
const LEAST = 45;
const PLAIN_Z = 3;

const { values } = parseArgs({ options: { data: { type: 'string', default: '../shared/data/nab' } } });
const series = readNab(values.data);
if (!series) throw new Error(`${values.data} holds no labels/combined_windows.json: give its place with --data`);
const profiles = Object.keys(PROFILES) as Profile[];

const { detector, threshold, window, warmUp, refractory } = optionsOf('value', 'zscore');
console.log(`${detector}, threshold ${threshold}, window ${window}, warm-up ${warmUp}, refractory ${refractory}\n`);
const shipped = series.map((one) => detected(one, 'zscore'));
console.log('windows found, false positives, score: ' + profiles.join(', '));
series.forEach((one, at) => console.log(line(one.name, [one], [shipped[at]!])));
console.log(line('all', series, shipped));

console.log('\nthe others, all series');
for (const other of DETECTORS.filter((one) => one !== 'zscore'))
  console.log(
    line(
      `${other}, threshold ${optionsOf('value', other).threshold}`,
      series,
      series.map((one) => detected(one, other)),
    ),
  );
console.log(line(`plain z >= ${PLAIN_Z}, every row`, series, series.map(plainZ)));

const score = nabScore(series, shipped, 'standard');
console.log(`\n${score >= LEAST ? 'ok  ' : 'FAIL'} standard score ${score.toFixed(1)}, at least ${LEAST}`);
process.exit(score >= LEAST ? 0 : 1);

function detected(one: Labelled, name: (typeof DETECTORS)[number]): number[] {
  const own = Detector.fresh(optionsOf('value', name));
  return one.values.flatMap((value, row) => (own.add(value) ? [row] : []));
}

/** The textbook's way: everything learnt, everything told. */
function plainZ(one: Labelled): number[] {
  const endless = { ...optionsOf('value', 'zscore'), threshold: Number.MAX_VALUE };
  const own = Detector.fresh(endless);
  return one.values.flatMap((value, row) => {
    own.add(value);
    return (own.last.score ?? 0) >= PLAIN_Z ? [row] : [];
  });
}

function line(name: string, those: readonly Labelled[], rows: readonly (readonly number[])[]): string {
  const all = those.map((one, at) => counts(one, rows[at]!));
  const windows = those.reduce((sum, one) => sum + one.windows.length, 0);
  const found = all.reduce((sum, one) => sum + one.found, 0);
  const falsePositives = all.reduce((sum, one) => sum + one.falsePositives, 0);
  const scores = profiles.map((profile) =>
    (windows === 0 ? '-' : nabScore(those, rows, profile).toFixed(1)).padStart(7),
  );
  return `${name.padEnd(50)} ${`${found}/${windows}`.padStart(5)} ${String(falsePositives).padStart(5)} ${scores.join(' ')}`;
}
