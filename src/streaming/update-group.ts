import { positionText } from './position.js';

/** What filters look at. Updates without a symbol (a feed's state) pass every symbol filter. */
export type Subject = Readonly<{ type: string; source: string; symbol?: string; window?: string }>;

/** Updates of one event with one subject: what every filter takes or leaves whole. Texts are made once, when wanted. */
export class UpdateGroup {
  private sseText: string | undefined;
  private wsText: string | undefined;

  constructor(
    readonly subject: Subject,
    /** JSON objects without their type. */
    private readonly bodies: readonly string[],
    /** Of a durable event: its id, and where these updates stand among all of it. */
    private readonly place?: Readonly<{ eventId: string; first: number; count: number }>,
  ) {}

  get count(): number {
    return this.bodies.length;
  }

  /** Server-sent events, ready to be joined. */
  sse(): string {
    return (this.sseText ??= this.sseFrom(0));
  }

  /** As `sse`, without the updates up to number `item` of the event. */
  sseAfter(item: number): string {
    return this.place ? this.sseFrom(Math.max(0, item + 1 - this.place.first)) : this.sse();
  }

  /** JSON objects with their type, joined by commas. */
  ws(): string {
    const head = `{"type":${JSON.stringify(this.subject.type)},`;
    return (this.wsText ??= this.bodies.map((body) => head + body.slice(1)).join(','));
  }

  private sseFrom(start: number): string {
    let text = '';
    for (let index = start; index < this.bodies.length; index++) {
      text += `event: ${this.subject.type}\n`;
      if (this.place) text += `id: ${positionText(this.place.eventId, this.place.first + index, this.place.count)}\n`;
      text += `data: ${this.bodies[index]!}\n\n`;
    }
    return text;
  }
}
