/** Why a message went as it went: one of few, so that it may be a metric's label. */
export type Reason =
  | 'ok'
  | 'timeout'
  | 'network'
  | 'rate-limited'
  | 'server-error'
  | 'client-error'
  | 'unauthorized'
  | 'gone'
  | 'redirect'
  | 'blocked'
  | 'unconfigured'
  | 'unexpected'
  | 'lost';

/**
 * What came of one attempt. `rejected`: this message will never do. `broken`: nothing will, until somebody mends the
 * channel. `isOfChannel`: a retry of another message would fare no better now.
 */
export type Answer = Readonly<{
  result: 'sent' | 'retry' | 'rejected' | 'broken';
  reason: Reason;
  status?: number;
  error?: string;
  /** What the receiver asked for. */
  pauseMs?: number;
  isOfChannel?: boolean;
}>;

const MOST_ERROR = 200;

export const failed = (result: 'retry' | 'broken', reason: Reason, error: string): Answer => ({
  result,
  reason,
  error: shortened(error),
  isOfChannel: true,
});

/** A line of what a receiver said, as far as a user may see it. */
export const shortened = (text: string): string =>
  text
    .replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
    .slice(0, MOST_ERROR);

/** What the status of an HTTP answer means, by itself. */
export function answerOfStatus(status: number, text: string, pauseMs: number): Answer {
  const facts = {
    status,
    error: shortened(`HTTP ${status}${text === '' ? '' : `: ${text}`}`),
    ...(pauseMs > 0 && { pauseMs }),
  };
  if (status >= 200 && status < 300) return { result: 'sent', reason: 'ok', status };
  if (status === 429) return { ...facts, result: 'retry', reason: 'rate-limited', isOfChannel: true };
  if (status === 408 || status === 425) return { ...facts, result: 'retry', reason: 'timeout' };
  if (status >= 500)
    return { ...facts, result: 'retry', reason: 'server-error', isOfChannel: status !== 500 && status !== 501 };
  if (status >= 300 && status < 400)
    return { ...facts, error: `HTTP ${status}: redirects are not followed`, result: 'broken', reason: 'redirect' };
  if (status === 401 || status === 403 || status === 407) return { ...facts, result: 'broken', reason: 'unauthorized' };
  if (status === 404 || status === 410) return { ...facts, result: 'broken', reason: 'gone' };
  return { ...facts, result: 'rejected', reason: 'client-error' };
}

/** Slack answers 200 and the text `ok`; whatever else says 200 is no Slack. */
export function answerOfSlack(answer: Answer, text: string): Answer {
  if (answer.result !== 'sent' || text.trim() === 'ok') return answer;
  return {
    result: 'rejected',
    reason: 'unexpected',
    status: answer.status!,
    error: shortened(`answered ${text === '' ? 'nothing' : text} in place of ok`),
  };
}

type SmtpError = Error & Readonly<{ code?: string; responseCode?: number; command?: string; response?: string }>;

/** Source: reference/alerts.md §5: 4xx again, 5xx never, a connection that fails again. */
export function answerOfSmtp(error: SmtpError): Answer {
  const { code, responseCode: status, message } = error;
  const facts = { error: shortened(message), ...(status !== undefined && { status }) };
  if (code === 'EAUTH' || code === 'ENOAUTH') {
    const isTemporary = status !== undefined && status < 500;
    return isTemporary
      ? { ...facts, result: 'retry', reason: 'server-error', isOfChannel: true }
      : { ...facts, result: 'broken', reason: 'unauthorized' };
  }
  if (code === 'ETLS' && status !== undefined && status >= 500)
    return failed(
      'broken',
      'unconfigured',
      `a login goes out encrypted only, and the server does not encrypt: ${message}`,
    );
  if (status !== undefined && status >= 500) {
    const isLogin = status === 530 || status === 534 || status === 535;
    return isLogin
      ? { ...facts, result: 'broken', reason: 'unauthorized' }
      : { ...facts, result: 'rejected', reason: 'client-error' };
  }
  if (status !== undefined && status >= 400)
    return { ...facts, result: 'retry', reason: 'server-error', isOfChannel: true };
  const isLate = code === 'ETIMEDOUT' || /timeout/i.test(message);
  return { ...facts, result: 'retry', reason: isLate ? 'timeout' : 'network', isOfChannel: true };
}

/** What a receiver may ask for with Retry-After. */
const MOST_ASKED_MS = 3_600_000;

/** `Retry-After` in seconds or as a date; 0 when there is none or it is past. */
export function askedPauseMs(header: string | undefined, nowMs: number): number {
  if (header === undefined) return 0;
  const text = header.trim();
  if (/^\d{1,9}$/.test(text)) return Math.min(MOST_ASKED_MS, Number(text) * 1000);
  const untilMs = /^[A-Z][a-z]{2,8}, /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(untilMs) ? 0 : Math.min(MOST_ASKED_MS, Math.max(0, untilMs - nowMs));
}
