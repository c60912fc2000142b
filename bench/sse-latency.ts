import { get } from 'node:http';

/** Reads trades from /stream and keeps how long each took from being sent by the venue to being read here. */
export class SseLatency {
  private readonly latenciesUs: number[] = [];
  private rest = '';
  private readonly request;

  constructor(url: string) {
    this.request = get(`${url}/stream?types=trade`, (response) => {
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.read(text));
      response.on('error', () => undefined);
    });
    this.request.on('error', () => undefined);
  }

  /** Figures so far, in milliseconds, and a fresh start. */
  take(): ReturnType<SseLatency['figures']> {
    const figures = this.figures();
    this.latenciesUs.length = 0;
    return figures;
  }

  /** Figures so far, in milliseconds. */
  figures(): { count: number; p50Ms: number; p99Ms: number; maxMs: number } {
    const sorted = Float64Array.from(this.latenciesUs).sort();
    const at = (share: number): number =>
      Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]! / 10) / 100;
    return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
  }

  close(): void {
    this.request.destroy();
  }

  private read(text: string): void {
    const nowUs = (performance.timeOrigin + performance.now()) * 1000;
    const all = this.rest + text;
    const end = all.lastIndexOf('\n\n');
    this.rest = end < 0 ? all : all.slice(end + 2);
    let at = 0;
    while (at >= 0 && at < end) {
      at = all.indexOf('"tradedAt":"', at);
      if (at < 0 || at > end) return;
      at += 12;
      const instant = all.slice(at, all.indexOf('"', at));
      const fraction = instant.slice(20, -1).padEnd(6, '0');
      this.latenciesUs.push(nowUs - (Date.parse(`${instant.slice(0, 19)}Z`) * 1000 + Number(fraction)));
    }
  }
}
