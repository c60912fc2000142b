import { createReadStream, statSync } from 'node:fs';
import { request } from 'node:http';
import { basename } from 'node:path';

/**
 * Sends the file that is named to it as `curl -F file=@…` does, in a process of its own (forked by uploads.ts), and tells its
 * parent how that was answered: `{status, body}`.
 */
const [url, path] = process.argv.slice(2) as [string, string];
const BOUNDARY = 'tapeline-bench-boundary';
const head = `--${BOUNDARY}\r\ncontent-disposition: form-data; name="file"; filename="${basename(path)}"\r\ncontent-type: text/plain\r\n\r\n`;
const tail = `\r\n--${BOUNDARY}--\r\n`;

const sending = request(url, {
  method: 'POST',
  headers: {
    'content-type': `multipart/form-data; boundary=${BOUNDARY}`,
    'content-length': head.length + statSync(path).size + tail.length,
  },
});
sending.on('response', (response) => {
  let body = '';
  response.setEncoding('utf8');
  response.on('data', (text: string) => (body += text));
  response.on('end', () => process.send!({ status: response.statusCode, body }, () => process.exit(0)));
});
sending.write(head);
const file = createReadStream(path, { highWaterMark: 256 * 1024 });
file.pipe(sending, { end: false });
file.on('end', () => sending.end(tail));
