import { FrameError } from '../connectors/connector.js';
import { parseExactJson } from '../connectors/exact-json.js';

/**
 * The body of an answer, its numbers as exact text. Throws FrameError when it is not JSON, without a word of the body:
 * an error page may quote the address or the headers, which may hold keys.
 */
export function parseAnswer(body: string): object {
  try {
    return parseExactJson(body);
  } catch (error) {
    if (!(error instanceof FrameError)) throw error;
    throw new FrameError(error.code, 'the answer is not JSON', body);
  }
}
