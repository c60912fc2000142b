import { request as httpRequest, Agent as HttpAgent, type IncomingMessage } from 'node:http';
import { request as httpsRequest, Agent as HttpsAgent } from 'node:https';
import { Injectable } from '@nestjs/common';
import { type Answer, answerOfStatus, askedPauseMs, failed } from './answer.js';
import { BlockedTarget, TargetGuard } from './target-guard.service.js';

const TIMEOUT_MS = 15_000;
const MOST_ANSWER_BYTES = 64 * 1024;

export type Post = Readonly<{ url: string; body: string; headers?: Readonly<Record<string, string>> }>;
type Posted = Readonly<{ answer: Answer; text: string }>;

/** Posts JSON to where a channel says: no redirects, no proxy, nowhere the guard forbids, and within bounds. */
@Injectable()
export class HttpPost {
  /** Agents of our own know no proxy, whatever the environment says; one connection a message. */
  private readonly agents = {
    'http:': new HttpAgent({ keepAlive: false }),
    'https:': new HttpsAgent({ keepAlive: false }),
  };

  constructor(private readonly guard: TargetGuard) {}

  /** Never throws; `text` is the start of what was answered. */
  async post(post: Post, timeoutMs = TIMEOUT_MS): Promise<Posted> {
    try {
      const url = new URL(post.url);
      this.guard.checkLiteral(url.hostname);
      return await this.exchange(url, post, timeoutMs);
    } catch (error) {
      return { answer: answerOfError(error as Error & { code?: string }), text: '' };
    }
  }

  private exchange(url: URL, { body, headers }: Post, timeoutMs: number): Promise<Posted> {
    const isTls = url.protocol === 'https:';
    return new Promise((resolve, reject) => {
      const options = {
        method: 'POST',
        agent: isTls ? this.agents['https:'] : this.agents['http:'],
        lookup: this.guard.lookup,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'tapeline',
          ...headers,
        },
      };
      const request = isTls ? httpsRequest(url, options) : httpRequest(url, options);
      const late = setTimeout(() => request.destroy(new TimedOut(timeoutMs)), timeoutMs);
      request.once('close', () => clearTimeout(late));
      request.on('error', reject);
      request.once('response', (response) => {
        bodyOf(response).then((text) => {
          const status = response.statusCode ?? 0;
          const pauseMs = askedPauseMs(response.headers['retry-after'], Date.now());
          request.destroy();
          resolve({ answer: answerOfStatus(status, text.slice(0, 200), pauseMs), text });
        }, reject);
      });
      request.end(body);
    });
  }
}

class TimedOut extends Error {
  readonly code = 'ETIMEDOUT';

  constructor(ms: number) {
    super(`no answer within ${ms / 1000} s`);
  }
}

/** The status counts even where the rest is too much. */
async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MOST_ANSWER_BYTES) break;
  }
  return Buffer.concat(chunks).toString();
}

function answerOfError(error: Error & { code?: string }): Answer {
  if (error instanceof BlockedTarget) return failed('broken', 'blocked', error.message);
  return failed('retry', error.code === 'ETIMEDOUT' ? 'timeout' : 'network', error.message || String(error.code));
}
