import { describe, expect, it } from 'vitest';
import { detectAmong, fallbackAmong } from './detection.js';
import type { LineFormat } from './format.js';
import { detectFormat, fallbackFor, FORMATS } from './registry.js';

const format = (
  name: string,
  likeness: (line: string) => number,
  yields: 'events' | 'trades' = 'events',
): LineFormat => ({
  name,
  yields,
  begin: () => null,
  read: () => ({ kind: 'nothing' }),
  likeness,
});
const named = (name: string): LineFormat => FORMATS.find((one) => one.name === name)!;
const [json, logfmt, text] = ['json', 'logfmt', 'text'].map(named) as [LineFormat, LineFormat, LineFormat];
const begins = (name: string, likeness = 1): LineFormat =>
  format(name, (line) => (line.startsWith(name) ? likeness : 0));
const repeat = (line: string, times: number): string[] => Array.from({ length: times }, () => line);

describe('detecting the format of a file', () => {
  it('takes what most lines look like, the first of those alike', () => {
    const [a, b] = [begins('a'), begins('b')];
    expect(detectAmong([a, b], ['a', 'b', 'b'])).toBe(b);
    expect(detectAmong([a, b], ['b', 'a'])).toBe(a);
  });

  it('does not go by the first line, nor by blank ones and those of no format', () => {
    expect(detectFormat(['starting up', ...repeat('{"a":1}', 5)])?.name).toBe('json');
    expect(detectFormat(['', ' ', ...repeat('prose', 8), 'ts=1 msg=x', ''])?.name).toBe('logfmt');
  });

  it('is undefined where lines look like nothing, or too few of them like anything', () => {
    expect(detectFormat([])).toBeUndefined();
    expect(detectFormat(['', '  '])).toBeUndefined();
    expect(detectFormat(['lorem ipsum', 'dolor sit amet'])).toBeUndefined();
    expect(detectAmong([begins('a')], ['a', ...repeat('-', 10)])).toBeUndefined();
    expect(detectAmong([begins('a', 0.25)], repeat('a', 10))).toBeUndefined();
  });

  it('is not moved by a stack trace that is longer than the log', () => {
    const lines = ['2024-08-09 00:05:04 ERROR failed', ...repeat('\tat a.B.c(B.java:1)', 98)];
    expect(detectFormat(lines)?.name).toBe('text');
  });

  it.each([
    ['json', '{"level":50,"msg":"failed"}'],
    ['logfmt', 'ts=2024-08-09T00:05:04Z level=error msg=failed'],
    ['nginx-error', '2024/08/09 00:05:04 [error] 123#0: *1 failed, client: 1.2.3.4, server: a'],
  ])('is not moved by the traces in a file of %s', (name, line) => {
    const lines = repeat(line, 5).flatMap((one) => [one, ...repeat('\tat a.B.c(B.java:1)', 9), 'Caused by: x.Y: z']);
    expect(detectFormat(lines)?.name).toBe(name);
  });

  it('reads a mixed file as what most of it is', () => {
    expect(detectFormat([...repeat('{"a":1}', 60), ...repeat('2024-08-09 00:05:04 up', 40)])?.name).toBe('json');
    expect(detectFormat([...repeat('{"a":1}', 30), ...repeat('2024-08-09 00:05:04 up', 70)])?.name).toBe('text');
  });
});

/** Lines that people upload, by the format that is to read them. */
const FILES: Readonly<Record<string, readonly string[]>> = {
  'syslog-5424': [
    '<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [exampleSDID@32473 iut="3"] An event',
    '<34>1 2003-10-11T22:14:15.003Z mymachine su - ID47 - su root failed',
  ],
  'syslog-3164': [
    'Aug  9 00:05:04 combo sshd(pam_unix)[19939]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh',
    'Aug  9 00:05:05 combo su(pam_unix)[21416]: session opened for user cyrus by (uid=0)',
    'Aug  9 00:05:06 combo logrotate: ALERT exited abnormally with [1]',
  ],
  access: [
    '127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" 200 2326',
    '::1 - - [10/Oct/2000:13:55:37 -0700] "GET /?a=1,2&b=3 HTTP/1.1" 404 - "http://a/?x=1" "Mozilla/5.0 (X11; Linux)"',
  ],
  'nginx-error': [
    '2024/08/09 00:05:04 [error] 123#0: *1 open() "/x" failed (2: No such file), client: 1.2.3.4, server: a',
    '2024/08/09 00:05:04 [notice] 1#1: signal process started',
  ],
  'apache-error': [
    '[Fri Aug 09 00:05:04.123456 2024] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187] File does not exist',
    '[Fri Aug 09 00:05:04 2024] [notice] Digest: done',
  ],
  json: ['{"level":30,"time":1723161904123,"msg":"up"}', '{"level":30,"time":1723161904124,"msg":"price=1 size=2"}'],
  logfmt: ['ts=2024-08-09T00:05:04Z level=info msg="up, and running"', 'ts=2024-08-09T00:05:05Z level=info msg=on a=1'],
  text: [
    '2024-08-09 00:05:04,123 INFO [main] com.acme.App: took=3ms, price=1',
    '2024-08-09 00:05:05,123 ERROR [main] com.acme.App: failed, with {"a":1}',
    'java.lang.IllegalStateException: a=b, c',
    '\tat com.acme.App.main(App.java:3)',
  ],
};

describe('what people upload', () => {
  it.each(Object.entries(FILES))('is read as %s', (name, lines) => {
    expect(detectFormat(lines)?.name).toBe(name);
    expect(detectFormat(lines.slice(0, 1))?.name).toBe(name);
  });

  it.each(Object.entries(FILES))('lets lines of other files be read, but of %s', (name, lines) => {
    for (const own of FORMATS)
      if (own.name !== name && own.yields === 'events') expect(fallbackFor(lines[0]!, own)?.name).toBe(name);
  });
});

describe('another format for a line', () => {
  it('is the one that the line looks like surely', () => {
    expect(fallbackFor('2024-08-09 00:05:04 up', json)?.name).toBe('text');
    expect(fallbackFor('\tat a.B.c(B.java:1)', json)?.name).toBe('text');
    expect(fallbackFor('{"a":1}', logfmt)?.name).toBe('json');
    expect(fallbackFor('level=info msg=up', json)?.name).toBe('logfmt');
  });

  it('is none for a broken line, and never the own', () => {
    expect(fallbackFor('{"a":', json)).toBeUndefined();
    expect(fallbackFor('garbage', json)).toBeUndefined();
    expect(fallbackFor('a=1', json)).toBeUndefined();
    expect(fallbackFor('2024-08-09 00:05:04 up', text)).toBeUndefined();
  });

  it('yields what the own does', () => {
    const trades = format('t', () => 1, 'trades');
    expect(fallbackAmong([trades], 'x', json)).toBeUndefined();
    expect(
      fallbackAmong(
        [trades, json],
        '{}',
        format('u', () => 1, 'trades'),
      ),
    ).toBe(trades);
  });
});

describe('the list of formats', () => {
  it('names each once', () => expect(new Set(FORMATS.map(({ name }) => name)).size).toBe(FORMATS.length));
});
