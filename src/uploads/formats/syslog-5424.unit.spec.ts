import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { LogLine, Reading, ReadOptions } from './format.js';
import { syslog5424 } from './syslog-5424.js';

const options: ReadOptions = { receivedAtUs: Date.parse('2024-08-10T00:00:00Z') * 1000, offsetMinutes: 120 };
const read = (text: string): Reading => syslog5424.read(text, syslog5424.begin(options), options, 1);
const event = (text: string): LogLine => {
  const reading = read(text);
  if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};
const us = (iso: string): number => Date.parse(iso) * 1000;

describe('syslog of RFC 5424', () => {
  it('reads all that a line tells', () => {
    const line =
      '<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 ID47 ' +
      String.raw`[ex@32473 iut="3" path="C:\\ \"x\" [a\]"][trace@1 trace_id="4bf92f"] ` +
      '\uFEFFTime to make the do-nuts. [not="data"]';
    expect(event(line)).toEqual({
      atUs: us('2003-08-24T12:14:15Z') + 3,
      level: 'info',
      message: 'Time to make the do-nuts. [not="data"]',
      traceId: '4bf92f',
      fields: {
        facility: 'local4',
        severity: 'notice',
        host: '192.0.2.1',
        app: 'myproc',
        procId: '8710',
        msgId: 'ID47',
        structuredData: {
          'ex@32473': { iut: '3', path: String.raw`C:\ "x" [a]` },
          'trace@1': { trace_id: '4bf92f' },
        },
      },
    });
  });

  it('reads a line that tells nothing but its priority', () => {
    expect(event('<0>1 - - - - - -')).toEqual({
      level: 'fatal',
      message: '',
      fields: { facility: 'kern', severity: 'emerg' },
    });
  });

  it.each([
    ['2024-08-09T00:05:04Z', us('2024-08-09T00:05:04Z')],
    ['2024-08-09T00:05:04.1Z', us('2024-08-09T00:05:04.1Z')],
    ['2024-08-09T00:05:04.123456789Z', us('2024-08-09T00:05:04.123Z') + 456],
    ['2024-08-09T02:05:04+03:00', us('2024-08-08T23:05:04Z')],
    ['2024-08-09T02:05:04-0330', us('2024-08-09T05:35:04Z')],
    // without a zone at the offset that the upload told
    ['2024-08-09T02:05:04', us('2024-08-09T00:05:04Z')],
    ['2016-12-31T23:59:60Z', us('2017-01-01T00:00:00Z')],
    ['2024-02-29T00:00:00Z', us('2024-02-29T00:00:00Z')],
    ['0001-01-01T00:00:00Z', undefined],
    ['0085-01-01T00:00:00Z', undefined],
    ['9999-12-31T23:59:59Z', undefined],
  ])('knows when %s was', (time, atUs) => expect(event(`<13>1 ${time} h a - - - m`).atUs).toBe(atUs));

  it.each([
    '2024-02-30T00:00:00Z',
    '2023-02-29T00:00:00Z',
    '2024-13-01T00:00:00Z',
    '2024-00-01T00:00:00Z',
    '2024-08-00T00:00:00Z',
    '2024-08-09T24:00:00Z',
    '2024-08-09T00:60:00Z',
    '2024-08-09T00:00:61Z',
    '2024-08-09T00:00:00.Z',
    '2024-08-09T00:00:00.1234567890123Z',
    '2024-08-09T00:00:00+24:00',
    '2024-08-09T00:00:00+01:60',
    '2024-08-09T00:00:00+1:00',
    '2024-08-09T00:00:00ZZ',
    '2024-08-09 00:00:00Z',
    '2024-08-09',
    '1723161904',
  ])('refuses the time %s', (time) =>
    expect(read(`<13>1 ${time} h a - - - m`)).toEqual({
      kind: 'bad',
      message: expect.stringMatching(/time/) as string,
      column: expect.any(Number) as number,
    }),
  );

  it('tells where a line goes wrong, in characters from 1', () => {
    expect(read('<13>1 - h a - - [x y=1] m')).toEqual({
      kind: 'bad',
      message: 'there is no name="value" in the structured data',
      column: 21,
    });
    expect(read('<192>1 - - - - - -')).toMatchObject({ kind: 'bad', column: 1 });
    expect(read('<013>1 - - - - - -')).toMatchObject({ kind: 'bad', column: 1 });
    expect(read('<13>1 - h\u00a0 a - - -')).toMatchObject({ kind: 'bad', column: 10 });
    expect(read('<13>0 - - - - - -')).toMatchObject({ kind: 'bad', column: 5 });
    expect(read('<13>1 - h\ta - - -')).toMatchObject({ kind: 'bad', column: 10 });
  });

  it('keeps the values of a name that comes twice, and data of any name', () => {
    expect(event('<13>1 - - - - - [o ip="a" ip="b"][__proto__ __proto__="x"]').fields['structuredData']).toEqual(
      JSON.parse('{"o":{"ip":["a","b"]},"__proto__":{"__proto__":"x"}}'),
    );
  });

  it('reads a message behind missing structured data, as Heroku writes it, and in frames', () => {
    expect(event('83 <40>1 2012-11-30T06:45:29+00:00 host app web.3 - State changed to up')).toMatchObject({
      message: 'State changed to up',
      fields: { host: 'host', app: 'app', procId: 'web.3' },
    });
  });

  it('takes no long text for a trace id', () => {
    expect(event(`<13>1 - - - - - [a traceId="${'f'.repeat(129)}"]`).traceId).toBeUndefined();
  });

  it('reads values and elements that a sender should have written otherwise', () => {
    const line = String.raw`<13>1 - - - - - [a list="[1,2]" path="C:\new"][b x="1"][a list="3"]`;
    expect(event(line).fields['structuredData']).toEqual({
      a: { list: ['[1,2]', '3'], path: String.raw`C:\new` },
      b: { x: '1' },
    });
  });

  it('folds indented lines into the event before them', () => {
    const memory = syslog5424.begin(options);
    const kinds = ['  at x', '<13>1 - - - - - - one', '\tat y', '', 'other'].map(
      (line) => syslog5424.read(line, memory, options, 1).kind,
    );
    expect(kinds).toEqual(['bad', 'event', 'continuation', 'nothing', 'bad']);
  });

  it('likes its own lines, wrong ones a little less, and no line of RFC 3164', () => {
    expect(syslog5424.likeness('<13>1 - - - - - -')).toBe(1);
    expect(syslog5424.likeness('83 <40>1 - - - - - -')).toBe(1);
    expect(syslog5424.likeness('<13>1 yesterday - - - - -')).toBe(0.6);
    expect(syslog5424.likeness('<13>Oct 11 22:14:15 host su: x')).toBe(0);
    expect(syslog5424.likeness('{"a":1}')).toBe(0);
  });
});

type Vector = Readonly<{
  note: string;
  input: string;
  error?: string;
  ok?: Readonly<{
    facility: number;
    severity: number;
    timestamp?: string;
    hostname?: string;
    appname?: string;
    procID?: string;
    msgID?: string;
    message?: string;
    structuredData?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  }>;
}>;

const VECTORS = join(import.meta.dirname, '../../../../shared/data/vectors/go_syslog.json');
const hasVectors = existsSync(VECTORS);
const vectors = hasVectors ? (JSON.parse(readFileSync(VECTORS, 'utf8')) as { rfc5424: readonly Vector[] }).rfc5424 : [];
const valid = vectors.filter(({ ok }) => ok !== undefined);
const invalid = vectors.filter(({ ok }) => ok === undefined);

const FACILITY_0 = 'kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock'.split(' ');
const SEVERITIES = 'emerg alert crit err warning notice info debug'.split(' ');

const LENGTH =
  'containers, units and Java classes have longer names, and nothing is cut from a file that is stored whole';
const BRACKET = 'the closing quote ends a value, so `]` within it is plain; lists as JSON come so';

/** Lines that go-syslog refuses and that are read here, by its note: how many, and why. */
const LENIENT: Readonly<Record<string, readonly [count: number, reason: string]>> = {
  'Invalid, empty input': [1, 'a blank line is nothing, not wrong'],
  'Invalid, multiple syslog messages on multiple lines': [
    1,
    'lines come split: an indented one belongs to the one before',
  ],
  'Invalid, timestamp T and Z must be uppercase': [2, 'RFC 3339 lets them be small, and the meaning is plain'],
  'Invalid, hostname too long': [2, LENGTH],
  'Invalid, appname too long': [4, LENGTH],
  'Invalid, procid too long': [1, LENGTH],
  'Invalid, msgid too long': [1, LENGTH],
  'Invalid, too long structured data id': [1, LENGTH],
  'Invalid, too long structured data param key': [1, LENGTH],
  'Invalid, with malformed structured data': [
    1,
    'Heroku leaves structured data out: what begins without [ is the message',
  ],
  'Invalid, with duplicated structured data id': [2, 'its parameters are those of one element'],
  'Invalid, param value can not contain closing square bracket - ie., ]': [3, BRACKET],
  'Invalid, param value can not contain backslash - ie., \\': [1, 'RFC 5424, 6.3.3: such a backslash stays as it is'],
};

describe.skipIf(!hasVectors)(`vectors of go-syslog${hasVectors ? '' : ` (skipped: ${VECTORS} is absent)`}`, () => {
  it.each(valid.map((vector) => [vector.note, vector] as const))('%s', (_note, { input, ok }) => {
    const { facility, severity, timestamp, hostname, appname, procID, msgID, message = '', structuredData } = ok!;
    const optional = { host: hostname, app: appname, procId: procID, msgId: msgID, structuredData };
    expect(event(input)).toEqual({
      ...(timestamp === undefined ? {} : { atUs: microseconds(timestamp) }),
      level: expect.any(String) as string,
      message: message.replace(/^\uFEFF/, ''),
      fields: {
        facility: FACILITY_0[facility] ?? `local${facility - 16}`,
        severity: SEVERITIES[severity],
        ...Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined)),
      },
    });
  });

  it('are all there', () => expect([valid.length, invalid.length]).toEqual([57, 84]));

  it('are refused where they are wrong, but for those listed', () => {
    const kept: Record<string, number> = {};
    for (const { note, input } of invalid) if (read(input).kind !== 'bad') kept[note] = (kept[note] ?? 0) + 1;
    expect(kept).toEqual(Object.fromEntries(Object.entries(LENIENT).map(([note, [count]]) => [note, count])));
  });
});

/** Date.parse alone would drop what is below milliseconds. */
function microseconds(iso: string): number {
  const [, fraction = ''] = /\.(\d+)/.exec(iso) ?? [];
  return Date.parse(iso) * 1000 + Number(fraction.slice(3).padEnd(3, '0'));
}
