import type { DeadLetter } from '../../platform/bus/index.js';
import type { BadLine } from './file-reading.js';

/** A line that cannot be read, with its bytes as they came. */
export const letterOf = (fileId: string, { line, message, bytes, fullBytes, isTruncated }: BadLine): DeadLetter => ({
  stage: 'parse',
  code: 'parse.bad-line',
  message: isTruncated ? `${message}; the line is longer than 64 KiB, this is its beginning` : message,
  source: { kind: 'file', id: fileId, position: String(line) },
  attempts: 1,
  payload: bytes,
  fullPayloadBytes: fullBytes,
  contentType: 'application/octet-stream',
});
