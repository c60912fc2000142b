import { describe, expect, it } from 'vitest';
import type { LogLine, Reading, ReadOptions } from './format.js';
import { text } from './plain-text.js';

const AT = Date.parse('2024-08-09T00:05:04.123Z') * 1000;
const options: ReadOptions = { receivedAtUs: Date.parse('2024-08-10T00:00:00Z') * 1000, offsetMinutes: 0 };

/** Lines as one file. */
function readAll(lines: readonly string[], given: Partial<ReadOptions> = {}): Reading[] {
  const all = { ...options, ...given };
  const memory = text.begin(all);
  return lines.map((line, index) => text.read(line, memory, all, index + 1));
}
const event = (line: string): LogLine => {
  const [reading] = readAll([line]);
  if (reading?.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};
const kinds = (lines: readonly string[]): string[] => readAll(lines).map(({ kind }) => kind);

describe('text with times', () => {
  it.each([
    [
      '2024-08-09T00:05:04.123Z  INFO 12345 --- [main] c.e.MyApp : up',
      'info',
      'up',
      { logger: 'c.e.MyApp', thread: 'main', pid: '12345' },
    ],
    ['2024-08-09 00:05:04,123 - mylogger - INFO - up', 'info', 'up', { logger: 'mylogger' }],
    [
      '2024-08-09 00:05:04,123 [main] WARN  com.acme.App - up',
      'warn',
      'up',
      { logger: 'com.acme.App', thread: 'main' },
    ],
    ['2024-08-09 00:05:04,123 INFO [main] com.acme.App: up', 'info', 'up', { logger: 'com.acme.App', thread: 'main' }],
    ['2024-08-09 00:05:04,123 INFO [com.acme.App] up', 'info', 'up', { logger: 'com.acme.App' }],
    ['[2024-08-09T00:05:04.123Z INFO  my_crate::module] up', 'info', 'up', { logger: 'my_crate::module' }],
    ['2024-08-09T00:05:04.123Z  INFO my_crate::module: up', 'info', 'up', { logger: 'my_crate::module' }],
    ['2024-08-09 00:05:04.123 UTC [1234] LOG:  up', 'info', 'up', { pid: '1234' }],
    ['2024-08-09T00:05:04.123Z 0 [System] [MY-010116] up', 'info', 'up', { logger: 'MY-010116', pid: '0' }],
    [
      '2024-08-09 00:05:04,123 - INFO  [Peer[myid=1]/0:0:2181:Election@774] - up',
      'info',
      'up',
      { logger: 'Peer[myid=1]/0:0:2181:Election@774' },
    ],
    ['[2024-08-09T00:05:04,123][INFO ][o.e.n.Node    ] [node] up', 'info', '[node] up', { logger: 'o.e.n.Node' }],
    ['2024-08-09 00:05:04.123, Info                  CBS    up', 'info', 'CBS    up', {}],
    ['[2024-08-09T00:05:04.123456+00:00] app.ERROR: up {"a":1} []', 'error', 'up {"a":1} []', { logger: 'app' }],
    ['I, [2024-08-09T00:05:04.123456 #1234]  INFO -- : up', 'info', 'up', { pid: '1234' }],
    ['INFO 2024-08-09 00:05:04,123 up', 'info', 'up', {}],
    ['[INFO] 2024-08-09 00:05:04,123 up', 'info', 'up', {}],
    ['ERROR:2024-08-09 00:05:04,123:root:up', 'error', 'up', { logger: 'root' }],
    ['W0809 00:05:04.123456    1234 file.go:123] up', 'warn', 'up', { logger: 'file.go:123', pid: '1234' }],
    ['08-09 00:05:04.123  1702  2395 D WindowManager: up', 'debug', 'up', { logger: 'WindowManager', pid: '1702' }],
    ['2024-08-09T00:05:04.123Z\tinfo\tup', 'info', 'up', {}],
    [
      '\x1b[2m2024-08-09T00:05:04.123Z\x1b[0m \x1b[32m INFO\x1b[0m \x1b[2mmy_app\x1b[0m\x1b[2m:\x1b[0m up',
      'info',
      'up',
      { logger: 'my_app' },
    ],
    ['2024-08-09 00:05:04,123 error: up', 'error', 'up', {}],
    ['1723161904.123 - up', undefined, 'up', {}],
    ['20240809-00:05:04:123|Step|30002|up', undefined, 'Step|30002|up', {}],
  ])('reads %s', (line, level, message, fields) => {
    const { atUs, ...told } = event(line);
    expect(Math.floor(atUs! / 1000)).toBe(AT / 1000);
    expect(told).toEqual({ ...(level === undefined ? {} : { level }), message, fields });
  });

  it.each([
    ['http: Server closed'],
    ['HTTP GET / 200'],
    ['Received ERROR from peer'],
    ['25746 bytes sent'],
    ['Error opening the file'],
    ['log rotated'],
    ['NOTE that all is well'],
    ['ALERT the others'],
    ['[worker-1] done'],
    ['I am here'],
    ['-5 degrees'],
    ['::1 connected'],
    ['a: b - c'],
  ])('takes nothing of a message for a header: %s', (message) => {
    expect(event(`2024-08-09 00:05:04.123 ${message}`)).toEqual({ atUs: AT, message, fields: {} });
  });

  it('takes no word of a message for a logger', () => {
    expect(event('2024-08-09 00:05:04.123 INFO Starting: the server')).toEqual({
      atUs: AT,
      level: 'info',
      message: 'Starting: the server',
      fields: {},
    });
  });

  it('folds a stack trace and a message of several lines into the event before', () => {
    const lines = [
      '2024-08-09 00:05:04 ERROR a.B - failed',
      'java.lang.IllegalStateException: no',
      '\tat a.B.c(B.java:3)',
      'Caused by: x',
      '\t... 12 more',
      'any words  ',
      '',
      '    2024-08-09 00:05:04 quoted',
      '2024-08-09 00:05:05 INFO a.B - on',
    ];
    expect(kinds(lines)).toEqual([
      'event',
      'continuation',
      'continuation',
      'continuation',
      'continuation',
      'continuation',
      'nothing',
      'continuation',
      'event',
    ]);
    expect(readAll(lines)[2]).toEqual({ kind: 'continuation', text: '\tat a.B.c(B.java:3)' });
    expect(readAll(lines)[5]).toEqual({ kind: 'continuation', text: 'any words' });
  });

  it('makes events of lines before the first time, but for indented ones', () => {
    const lines = ['Welcome', 'ERROR: no disk', '  indented', 'Version 2', '2024-08-09 00:05:04 up', 'and on'];
    expect(kinds(lines)).toEqual(['event', 'event', 'continuation', 'event', 'event', 'continuation']);
    expect(readAll(lines)[0]).toEqual({ kind: 'event', event: { message: 'Welcome', fields: {} } });
    expect(readAll(lines)[1]).toEqual({ kind: 'event', event: { level: 'error', message: 'no disk', fields: {} } });
    expect(kinds(['   indented first'])).toEqual(['event']);
  });

  it('takes a trace for a part of what is before it, in a file of any other format too', () => {
    for (const line of [
      '\tat a.B(B.java:1)',
      '    at f (/x.js:1:2)',
      'Caused by: a',
      '  File "a.py", line 3',
      '\t... 3 more',
    ])
      expect([kinds([line]), text.likeness(line)]).toEqual([['continuation'], 0.65]);
  });

  it('keeps a time of day as a field, since no one can say of which day', () => {
    expect(event('00:05:04.123 [main] DEBUG c.a.App - up')).toEqual({
      level: 'debug',
      message: 'up',
      fields: { time: '00:05:04.123', logger: 'c.a.App', thread: 'main' },
    });
    expect(kinds(['00:05:04 a', 'b'])).toEqual(['event', 'continuation']);
  });

  it('keeps a time that is no instant as a field', () => {
    const [feb] = readAll(['Feb 29 00:05:04 up'], { year: 2023 });
    expect(feb).toEqual({ kind: 'event', event: { message: 'up', fields: { time: 'Feb 29 00:05:04' } } });
    expect(event('0001-01-01 00:00:00 up').fields).toEqual({ time: '0001-01-01 00:00:00' });
  });

  it('refuses a date whose order cannot be told', () => {
    expect(readAll(['[08/09/2024 00:05:04] up', '31/08/2024 00:00:00 up', '01/09/2024 00:00:00 up'])).toMatchObject([
      {
        kind: 'bad',
        message: 'whether the day or the month comes first in 08/09/2024 00:05:04 cannot be told',
        column: 2,
      },
      { kind: 'event' },
      { kind: 'event', event: { atUs: Date.parse('2024-09-01') * 1000 } },
    ]);
  });

  it('goes on into the next year, also after a checkpoint', () => {
    const given = { ...options, year: 2019 };
    const memory = text.begin(given);
    text.read('Dec 31 23:59:59 a', memory, given, 1);
    const later = JSON.parse(JSON.stringify(memory)) as typeof memory;
    expect(text.read('Jan  1 00:00:00 b', later, given, 2)).toMatchObject({
      event: { atUs: Date.parse('2020-01-01') * 1000 },
    });
    expect(text.read('c', later, given, 3)).toEqual({ kind: 'continuation', text: 'c' });
  });

  it('takes off colours, and no other escape', () => {
    expect(event('2024-08-09 00:05:04.123 \x1b[1;31mred\x1b[0m \x1b[2Jx\x1b[K').message).toBe('red \x1b[2Jx');
  });

  it('passes over a byte order mark', () => {
    expect(event('\uFEFF2024-08-09 00:05:04.123 up')).toEqual({ atUs: AT, message: 'up', fields: {} });
  });

  it('likes lines with times, less those of a table, and no other words', () => {
    const likeness = text.likeness;
    expect(['2024-08-09 00:05:04 x', 'INFO 2024-08-09 00:05:04', '[Fri Aug  9 00:05:04 2024] x'].map(likeness)).toEqual(
      [0.6, 0.6, 0.6],
    );
    expect(likeness('1723161904 x')).toBe(0.5);
    expect(likeness('ERROR: x')).toBe(0.35);
    expect(likeness('1723161904,1.5,2')).toBe(0.2);
    expect(likeness('2024-08-09T00:05:04Z,1.5,2')).toBe(0.2);
    expect(['hello', '', '{"a":1}', 'a=1 b=2'].map(likeness)).toEqual([0, 0, 0, 0]);
  });
});
