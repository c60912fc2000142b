import type { LineEnds } from './line-splitter.js';

const REPLACEMENT = '\uFFFD';
/** What most bytes that are no UTF-8 are in, where nobody says so. */
const OTHERWISE = 'windows-1252';

/** What the first bytes tell. Without a charset all of them are ASCII: the first line that is not decides. */
export type Probed = Readonly<{ charset: string | undefined; bomBytes: number; ends: LineEnds }>;

/** A label as browsers know it (`latin1`, `shift_jis`) to the charset's name; undefined for an unknown one. */
export function charsetNamed(label: string): string | undefined {
  try {
    return new TextDecoder(label).encoding;
  } catch {
    return undefined;
  }
}

export const endsOf = (charset: string | undefined): LineEnds =>
  charset === 'utf-16le' || charset === 'utf-16be' ? charset : 'bytes';

/** By byte order mark, then as UTF-8 where it is that and more than ASCII, then as declared, else windows-1252, or UTF-8 with damage. */
export function probe(head: Buffer, declared: string | undefined): Probed {
  const found = (charset: string | undefined, bomBytes = 0): Probed => ({
    charset,
    bomBytes,
    ends: endsOf(charset),
  });
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) return found('utf-8', 3);
  if (head[0] === 0xff && head[1] === 0xfe) return found('utf-16le', 2);
  if (head[0] === 0xfe && head[1] === 0xff) return found('utf-16be', 2);
  if (endsOf(declared) !== 'bytes') return found(declared);
  const wide = wideOf(head);
  if (wide !== undefined) return found(wide);
  if (head.every((byte) => byte < 0x80)) return found(declared === 'iso-2022-jp' ? declared : undefined);
  return found(isUtf8(head) ? 'utf-8' : (declared ?? undeclared(head)));
}

/** Text of Latin letters in UTF-16 has a zero in every other byte. */
function wideOf(head: Buffer): string | undefined {
  let [even, odd] = [0, 0];
  for (let at = 0; at < head.length; at++)
    if (head[at] === 0) {
      if (at % 2 === 0) even++;
      else odd++;
    }
  const most = head.length / 2;
  if (head.length < 8) return undefined;
  if (odd > most * 0.4 && even < most * 0.05) return 'utf-16le';
  if (even > most * 0.4 && odd < most * 0.05) return 'utf-16be';
  return undefined;
}

/** UTF-8 that is damaged in places has more characters that are right; hardly any text in another charset has some. */
function undeclared(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  let [right, wrong] = [0, 0];
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    if (unit === 0xfffd) wrong++;
    else if (unit >= 0x80) right++;
  }
  return right > wrong - ownReplacements(bytes) ? 'utf-8' : OTHERWISE;
}

/** A character that the end of the bytes cuts through is none against it. */
function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/** Turns lines into text; what is no character of the charset, and U+0000, becomes U+FFFD and is counted. */
export class LineDecoder {
  private decoder: InstanceType<typeof TextDecoder> | undefined;
  /** Of the line before. */
  replaced = 0;

  constructor(
    /** Undefined while all was ASCII. */
    public charset: string | undefined,
    private readonly declared: string | undefined,
  ) {}

  decode(bytes: Buffer): string {
    this.replaced = 0;
    const text = this.charset === 'utf-8' || this.charset === undefined ? this.utf8(bytes) : this.other(bytes);
    if (!text.includes('\0')) return text;
    this.replaced += countOf(text, '\0');
    return text.replaceAll('\0', REPLACEMENT);
  }

  private utf8(bytes: Buffer): string {
    const text = bytes.toString('utf8');
    const isSuspect = text.includes(REPLACEMENT);
    if (this.charset === undefined && (isSuspect || text.length < bytes.length)) {
      this.charset = isUtf8(bytes) ? 'utf-8' : (this.declared ?? undeclared(bytes));
      if (this.charset !== 'utf-8') return this.other(bytes);
    }
    if (isSuspect) this.replaced += countOf(text, REPLACEMENT) - ownReplacements(bytes);
    return text;
  }

  private other(bytes: Buffer): string {
    this.decoder ??= new TextDecoder(this.charset, { ignoreBOM: true });
    const text = this.decoder.decode(bytes);
    if (text.includes(REPLACEMENT)) this.replaced += countOf(text, REPLACEMENT);
    return text;
  }
}

function countOf(text: string, character: string): number {
  let count = 0;
  for (let at = text.indexOf(character); at >= 0; at = text.indexOf(character, at + 1)) count++;
  return count;
}

/** U+FFFD that the bytes hold themselves. */
function ownReplacements(bytes: Buffer): number {
  const own = Buffer.from(REPLACEMENT);
  let count = 0;
  for (let at = bytes.indexOf(own); at >= 0; at = bytes.indexOf(own, at + 3)) count++;
  return count;
}
