import { httpReceiver, type MailRefusal, mailReceiver, type Received, type Reply } from '../test/support/receivers.js';

/** What a message says of one alert. `id` is what a receiver knows repeats by. */
type Word = Readonly<{ alert: string; status: string; id: string }>;
/** How often it is done, and what; `take-and-lose`: taken, though the connection is lost before it can say so. */
type Deed<Kind> = readonly [share: number, what: string, deed: Kind | 'take-and-lose'];

const DEEDS: readonly Deed<Reply>[] = [
  [0.1, '500', { status: 500 }],
  [0.07, '503', { status: 503 }],
  [0.07, '429', { status: 429, headers: { 'retry-after': '1' } }],
  [0.03, '410', { status: 410 }],
  [0.05, 'connection lost', 'lose'],
  [0.06, 'lost after it was taken', 'take-and-lose'],
  [0.02, 'stalled', 'stall'],
];
const MAIL_DEEDS: readonly Deed<MailRefusal | undefined>[] = [
  [0.2, '451 of SMTP', { code: 451, message: 'try again' }],
  [0.05, 'SMTP connection lost', 'lose'],
  [0.05, 'SMTP connection lost after it was taken', 'take-and-lose'],
];
const LINE = /alert (\d+) is (FIRED AND RESOLVED|FIRING|RESOLVED)/g;

/** What the text of a template says that is written as `TEXT`. */
export const TEXT = 'alert {alertId} is {status}.';

/** What a receiver was told, and what of it came to those who read it: one that knows an id drops what comes under it. */
export class Told {
  deliveries = 0;
  repeats = 0;
  /** `alert status` → ids that it came under. */
  private readonly ids = new Map<string, Set<string>>();
  private readonly read = new Set<string>();
  private readonly taken = new Set<string>();

  /** `message` is the id of the whole; none where the protocol has none. */
  tell(message: string | undefined, words: readonly Word[], isTaken: boolean): void {
    this.deliveries++;
    for (const { alert, status, id } of words) {
      const key = `${alert} ${status}`;
      this.ids.set(key, (this.ids.get(key) ?? new Set()).add(id));
    }
    if (!isTaken) return;
    if (message !== undefined && this.taken.has(message)) return void this.repeats++;
    if (message !== undefined) this.taken.add(message);
    for (const { alert, status } of words) this.read.add(`${alert} ${status}`);
  }

  has(alert: string, status: 'firing' | 'resolved'): boolean {
    return this.read.has(`${alert} ${status}`) || this.read.has(`${alert} fired-and-resolved`);
  }

  get alerts(): string[] {
    return [...this.ids.keys()].map((key) => key.split(' ')[0]!);
  }

  get underTwoIds(): number {
    return [...this.ids.values()].filter((ids) => ids.size > 1).length;
  }
}

/** Receivers of every type of channel that fail as the dice say, until they are calm. */
export class ChaosReceivers {
  readonly struck: Record<string, number> = {};
  readonly told = { webhook: new Told(), slack: new Told(), email: new Told(), pagerduty: new Told() };
  /** At PagerDuty, by `dedup_key`. */
  readonly openIncidents = new Set<string>();
  private readonly alertOf = new Map<string, string>();
  private isCalm = false;

  private constructor(
    private readonly random: () => number,
    private readonly http: Awaited<ReturnType<typeof httpReceiver>>,
    private readonly mail: Awaited<ReturnType<typeof mailReceiver>>,
  ) {
    http.behave((received) => {
      const deed = this.deed<Reply>(DEEDS, { status: 200, text: 'ok' });
      this.take(received, deed === 'take-and-lose' || (typeof deed === 'object' && deed.status === 200));
      return deed === 'take-and-lose' ? 'lose' : deed;
    });
    mail.behave((_count, raw) => {
      const deed = this.deed(MAIL_DEEDS, undefined);
      const id = /^Message-ID:\s*(\S+)/im.exec(raw)?.[1] ?? '';
      this.told.email.tell(
        id,
        wordsOf(raw.replaceAll('=\r\n', ''), id),
        deed === undefined || deed === 'take-and-lose',
      );
      return deed === 'take-and-lose' ? 'lose' : deed;
    });
  }

  static async start(random: () => number): Promise<ChaosReceivers> {
    return new ChaosReceivers(random, await httpReceiver(), await mailReceiver());
  }

  url(type: 'webhook' | 'slack' | 'pagerduty' | 'email'): string {
    return type === 'email' ? this.mail.url : `${this.http.url}/${type}`;
  }

  calm(): void {
    this.isCalm = true;
  }

  async close(): Promise<void> {
    await Promise.all([this.http.close(), this.mail.close()]);
  }

  private deed<Kind>(deeds: readonly Deed<Kind>[], good: Kind): Kind | 'take-and-lose' {
    if (this.isCalm) return good;
    let dice = this.random();
    for (const [share, what, deed] of deeds) {
      dice -= share;
      if (dice >= 0) continue;
      this.struck[what] = (this.struck[what] ?? 0) + 1;
      return deed;
    }
    return good;
  }

  private take({ path, text, body, headers }: Received, isTaken: boolean): void {
    const { webhook, slack } = this.told;
    if (path === '/slack') slack.tell(undefined, wordsOf(text, ''), isTaken);
    else if (path === '/pagerduty') this.page(body, isTaken);
    else {
      const alerts: { id: string; status: string; notificationId: string }[] = body.data.alerts;
      const words = alerts.map(({ id, status, notificationId }) => ({ alert: id, status, id: notificationId }));
      webhook.tell(String(headers['webhook-id']), words, isTaken);
    }
  }

  /** A resolve names its incident only. What is triggered or resolved twice is one incident, so nothing is dropped. */
  private page({ event_action: action, dedup_key: key, payload }: PagerDutyBody, isTaken: boolean): void {
    const isTrigger = action === 'trigger';
    if (isTrigger) this.alertOf.set(key, payload!.custom_details.alertId);
    const alert = this.alertOf.get(key) ?? `without:${key}`;
    this.told.pagerduty.tell(undefined, [{ alert, status: isTrigger ? 'firing' : 'resolved', id: key }], isTaken);
    if (!isTaken) return;
    if (isTrigger) this.openIncidents.add(key);
    else this.openIncidents.delete(key);
  }
}

type PagerDutyBody = Readonly<{
  event_action: string;
  dedup_key: string;
  payload?: Readonly<{ custom_details: Readonly<{ alertId: string }> }>;
}>;

const wordsOf = (text: string, id: string): Word[] =>
  [...text.matchAll(LINE)].map(([, alert, word]) => ({
    alert: alert!,
    status: word!.toLowerCase().replaceAll(' ', '-'),
    id,
  }));
