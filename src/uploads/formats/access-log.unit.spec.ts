import { describe, expect, it } from 'vitest';
import { accessLog } from './access-log.js';
import type { LogLine, Reading, ReadOptions } from './format.js';

const options: ReadOptions = { receivedAtUs: 0, offsetMinutes: 0 };
const read = (text: string): Reading => accessLog.read(text, null, options, 1);
const event = (text: string): LogLine => {
  const reading = read(text);
  if (reading.kind !== 'event') throw new Error(JSON.stringify(reading));
  return reading.event;
};
const AT = Date.parse('2024-08-09T00:05:04Z') * 1000;
const TIME = '[09/Aug/2024:02:05:04 +0200]';
const GET = { method: 'GET', path: '/', protocol: 'HTTP/1.1' };
const OK = { client: '192.0.2.1', ...GET, status: 200, bytes: 5 };

describe('access log', () => {
  it('reads the combined format', () => {
    const line =
      `192.0.2.1 - frank ${TIME} "GET /a%20b?q=1 HTTP/1.1" 200 2326 ` +
      '"https://a.example/start" "Mozilla/5.0 (X11; Linux) \\"x\\""';
    expect(event(line)).toEqual({
      atUs: AT,
      level: 'info',
      message: 'GET /a%20b?q=1 HTTP/1.1',
      fields: {
        client: '192.0.2.1',
        user: 'frank',
        method: 'GET',
        path: '/a%20b?q=1',
        protocol: 'HTTP/1.1',
        status: 200,
        bytes: 2326,
        referer: 'https://a.example/start',
        userAgent: 'Mozilla/5.0 (X11; Linux) "x"',
      },
    });
  });

  it('reads the common format, and nothing from -', () => {
    expect(event(`192.0.2.1 - - ${TIME} "GET / HTTP/1.1" 304 -`)).toEqual({
      atUs: AT,
      level: 'info',
      message: 'GET / HTTP/1.1',
      fields: { client: '192.0.2.1', ...GET, status: 304 },
    });
    expect(event(`192.0.2.1 - - ${TIME} "GET / HTTP/1.1" 200 5 "-" "-"`).fields).toEqual(OK);
    expect(event(`192.0.2.1 - "" ${TIME} "GET / HTTP/1.1" 200 5 "" ""`).fields).toEqual(OK);
  });

  it.each([
    ['200', 'info'],
    ['101', 'info'],
    ['302', 'info'],
    ['404', 'warn'],
    ['499', 'warn'],
    ['500', 'error'],
    ['503', 'error'],
    ['-', 'info'],
  ])('has level for status %s: %s', (status, level) =>
    expect(event(`h - - ${TIME} "GET / HTTP/1.1" ${status} 5`).level).toBe(level),
  );

  it.each<readonly [who: string, fields: object]>([
    ['2001:db8::1 - -', { client: '2001:db8::1' }],
    ['[::1] - -', { client: '[::1]' }],
    ['h.example ident frank', { client: 'h.example', identity: 'ident', user: 'frank' }],
    ['192.0.2.1 - john smith', { client: '192.0.2.1', user: 'john smith' }],
    ['192.0.2.1 - - smith', { client: '192.0.2.1', user: '- smith' }],
    ['192.0.2.1 - "john smith"', { client: '192.0.2.1', user: 'john smith' }],
    ['192.0.2.1 -', { client: '192.0.2.1' }],
    ['192.0.2.1, 198.51.100.7 - -', { client: '192.0.2.1,198.51.100.7' }],
    ['a.example:443 192.0.2.1 - frank', { vhost: 'a.example:443', client: '192.0.2.1', user: 'frank' }],
    [
      'a.example 2001:db8::1 ident frank',
      { vhost: 'a.example', client: '2001:db8::1', identity: 'ident', user: 'frank' },
    ],
    ['a.example h.example - john smith', { vhost: 'a.example', client: 'h.example', user: 'john smith' }],
    ['- - -', {}],
  ])('knows who asked: %s', (who, fields) =>
    expect(event(`${who} ${TIME} "GET / HTTP/1.1" 200 5`).fields).toEqual({ ...GET, status: 200, bytes: 5, ...fields }),
  );

  it.each<readonly [request: string, message: string, fields: object]>([
    ['GET /a b HTTP/1.1', 'GET /a b HTTP/1.1', { method: 'GET', path: '/a b', protocol: 'HTTP/1.1' }],
    ['GET /', 'GET /', { method: 'GET', path: '/' }],
    ['GET / x', 'GET / x', { method: 'GET', path: '/ x' }],
    ['OPTIONS * HTTP/1.0', 'OPTIONS * HTTP/1.0', { method: 'OPTIONS', path: '*', protocol: 'HTTP/1.0' }],
    ['PRI * HTTP/2.0', 'PRI * HTTP/2.0', { method: 'PRI', path: '*', protocol: 'HTTP/2.0' }],
    ['M-SEARCH /x HTTP/1.1', 'M-SEARCH /x HTTP/1.1', { method: 'M-SEARCH', path: '/x', protocol: 'HTTP/1.1' }],
    ['GET', 'GET', {}],
    ['GET ', 'GET ', {}],
    ['GET  HTTP/1.1', 'GET  HTTP/1.1', {}],
    ['-', '-', {}],
    ['', '', {}],
    // a TLS handshake on a plain port; bytes that are no text stay as they are escaped
    [String.raw`\x16\x03\x01`, String.raw`\x16\x03\x01`, {}],
    [String.raw`GET /\"a\" HTTP/1.1`, 'GET /"a" HTTP/1.1', { method: 'GET', path: '/"a"', protocol: 'HTTP/1.1' }],
    [
      String.raw`GET /\x22a\x5Cb HTTP/1.1`,
      String.raw`GET /"a\b HTTP/1.1`,
      { method: 'GET', path: String.raw`/"a\b`, protocol: 'HTTP/1.1' },
    ],
    [
      String.raw`GET /\\\" HTTP/1.1`,
      String.raw`GET /\" HTTP/1.1`,
      { method: 'GET', path: String.raw`/\"`, protocol: 'HTTP/1.1' },
    ],
    ['GET /?q="a"b HTTP/1.1', 'GET /?q="a"b HTTP/1.1', { method: 'GET', path: '/?q="a"b', protocol: 'HTTP/1.1' }],
  ])('reads the request %s', (request, message, fields) =>
    expect(event(`h - - ${TIME} "${request}" 400 0 "-" "curl"`)).toEqual({
      atUs: AT,
      level: 'warn',
      message,
      fields: { client: 'h', status: 400, bytes: 0, userAgent: 'curl', ...fields },
    }),
  );

  it.each<readonly [rest: string, fields: object]>([
    [' 0.005 0.004', { extra: ['0.005', '0.004'] }],
    [' "r" "u" "198.51.100.7" 0.005 -', { referer: 'r', userAgent: 'u', extra: ['198.51.100.7', '0.005', '-'] }],
    [' "-" "u" rt=0.005 uct="0.000" ua="a b"', { userAgent: 'u', extra: ['rt=0.005', 'uct=0.000', 'ua=a b'] }],
    [' a"b c"', { extra: ['a"b', 'c"'] }],
    [' "only one"', { extra: ['only one'] }],
    ['  ', {}],
  ])('keeps what follows the bytes: %s', (rest, fields) =>
    expect(event(`192.0.2.1 - - ${TIME} "GET / HTTP/1.1" 200 5${rest}`).fields).toEqual({ ...OK, ...fields }),
  );

  it.each<readonly [time: string, atUs: number]>([
    ['[09/Aug/2024:00:05:04.250 +0000]', AT + 250_000],
    ['[2024-08-09T02:05:04+02:00]', AT],
    ['[09/Aug/2024:00:05:04]', AT],
  ])('reads the time %s', (time, atUs) => expect(event(`h - - ${time} "GET / HTTP/1.1" 200 5`).atUs).toBe(atUs));

  it.each<readonly [line: string, message: string, column: number | undefined]>([
    ['garbage', 'there is no [time]', undefined],
    ['h - - [31/Feb/2024:00:05:04 +0000] "GET / HTTP/1.1" 200 5', 'there is no [time]', undefined],
    [`${TIME} "GET / HTTP/1.1" 200 5`, 'there is no client before the [time]', 1],
    [`h - - ${TIME} GET / 200 5`, 'there is no "request" behind the [time]', 35],
    [`h - - ${TIME} "GET / HTTP/1.1 200 5`, 'the request has no closing quote', 36],
    [`h - - ${TIME} "GET / HTTP/1.1" OK 5`, 'there is no status behind the request', 52],
    [`h - - ${TIME} "GET / HTTP/1.1"`, 'there is no status behind the request', 52],
    [`h - - ${TIME} "GET / HTTP/1.1" 2000 5`, 'there is no status behind the request', 52],
    [`h - - ${TIME} "GET / HTTP/1.1" 200`, 'there is no number of bytes, or -, behind the status', 56],
    [`h - - ${TIME} "GET / HTTP/1.1" 200 1234567890123456`, 'there is no number of bytes, or -, behind the status', 56],
    [`h - - ${TIME} "GET / HTTP/1.1" 200 5k`, 'there is no number of bytes, or -, behind the status', 56],
    [`h - - ${TIME} "GET / HTTP/1.1" 200 5 "r" "u`, 'a quote behind the bytes does not close', 63],
  ])('refuses %s', (line, message, column) =>
    expect(read(line)).toEqual({ kind: 'bad', message, ...(column === undefined ? {} : { column }) }),
  );

  it('passes over blank lines', () => expect(read('  ')).toEqual({ kind: 'nothing' }));

  it('likes its own lines, wrong ones less, and those that syslog wraps less than syslog does', () => {
    const { likeness } = accessLog;
    expect(likeness(`h - - ${TIME} "GET / HTTP/1.1" 200 5`)).toBe(0.95);
    expect(likeness(`h - - ${TIME} "GET / HTTP/1.1`)).toBe(0.7);
    expect(likeness(`<34>Jan 12 06:30:00 web apache: h - - ${TIME} "GET / HTTP/1.1" 200 5`)).toBe(0.5);
    expect(likeness('[Fri Aug 09 00:05:04 2024] [error] x')).toBe(0);
    expect(likeness('[2024-08-09 00:05:04] "GET / HTTP/1.1" 200 5')).toBe(0);
    expect(likeness('')).toBe(0);
  });
});
