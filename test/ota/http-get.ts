import { get } from 'node:http';
import type { HttpGet } from '../../ota/transfer.ts';

/** An HTTP client as plain as can be. */
export function httpGetFrom(base: string): HttpGet {
  return (path, { from, signal }) =>
    new Promise((resolve, reject) => {
      const headers = from === undefined ? {} : { range: `bytes=${from}-` };
      get(base + path, { headers, signal }, (response) => {
        response.on('error', () => undefined);
        const fields = response.headers as Record<string, string | undefined>;
        resolve({ status: response.statusCode ?? 0, headers: fields, body: response });
      }).on('error', reject);
    });
}
