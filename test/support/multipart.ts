import { request } from 'node:http';

export type Part = Readonly<{ name: string; fileName?: string; value: Buffer | string }>;

export const BOUNDARY = 'tapeline-test-boundary';
export const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`;

/** A multipart body; a part with a file name is a file. */
export function multipart(parts: readonly Part[]): Buffer {
  const pieces = parts.flatMap(({ name, fileName, value }) => [
    Buffer.from(
      `--${BOUNDARY}\r\ncontent-disposition: form-data; name="${name}"${fileName === undefined ? '' : `; filename="${fileName.replaceAll('\\', '\\\\')}"\r\ncontent-type: text/plain`}\r\n\r\n`,
    ),
    Buffer.from(value),
    Buffer.from('\r\n'),
  ]);
  return Buffer.concat([...pieces, Buffer.from(`--${BOUNDARY}--\r\n`)]);
}

// oxlint-disable-next-line typescript/no-explicit-any -- a test reads what came
export type Sent = Readonly<{ status: number; type: string | undefined; location: string | undefined; body: any }>;

export type Sending = Readonly<{
  headers?: Record<string, string>;
  /** Leave the length out of the headers. */
  chunked?: boolean;
  /** Sends this much more often, until there is an answer; false to send no end. */
  goOn?: (write: (bytes: Buffer) => Promise<boolean>) => Promise<void>;
  neverEnds?: boolean;
}>;

/** POST over a connection of its own, as bytes; resolves with the answer, which may come before all was sent. */
export function sendMultipart(url: string, body: Buffer, sending: Sending = {}): Promise<Sent> {
  return new Promise((resolve, reject) => {
    const { chunked = sending.goOn !== undefined, headers, goOn, neverEnds = false } = sending;
    const client = request(
      url,
      {
        method: 'POST',
        agent: false,
        headers: {
          'content-type': MULTIPART,
          ...(chunked ? {} : { 'content-length': String(body.length) }),
          ...headers,
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => {
          isAnswered = true;
          const text = Buffer.concat(chunks).toString();
          resolve({
            status: response.statusCode!,
            type: response.headers['content-type'],
            location: response.headers.location,
            body: text === '' ? undefined : JSON.parse(text),
          });
          client.destroy();
        });
      },
    );
    let isAnswered = false;
    client.on('error', (error) => (isAnswered ? undefined : reject(error)));
    const write = (bytes: Buffer): Promise<boolean> =>
      new Promise((written) => {
        if (isAnswered || client.destroyed) return written(false);
        client.write(bytes, (error) => written(!error && !isAnswered));
      });
    void (async () => {
      await write(body);
      await goOn?.(write);
      if (!neverEnds && !client.destroyed) client.end();
    })();
  });
}
