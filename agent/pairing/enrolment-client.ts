import { X509Certificate } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { toBase64Url } from '../../crypto/bytes.ts';
import { readCertificate } from '../../crypto/certificate.ts';
import {
  CERTS_ONLY_TYPE,
  ENROL_PATH,
  fromBase64Body,
  MAX_CERTS_ONLY_BODY_BYTES,
  PAIRING_HEADER,
  REENROL_PATH,
  REQUEST_TYPE,
} from '../../wire/enrolment.ts';
import type { Connection } from '../client/connection.ts';
import { ClientError } from '../client/errors.ts';
import { requestResponse } from '../client/request.ts';
import type { DeviceKey } from '../state/device-key.ts';

/** What a camera says to be let in (docs/reference/protocol.md, "Enrolment"; RFC 7030 section 4.2). */

/** What the first enrolment shows beside the request. */
export interface ClaimProof {
  readonly token: Uint8Array;
  /** The pairing statement, base64url. */
  readonly statement: string;
}

const TIMEOUT_MS = 20_000;

/**
 * Asks for a certificate for the device key.
 * @param claim for the first; without it the camera is known by its key.
 * @returns it, PEM.
 * @throws ClientError REFUSED, PROTOCOL_VIOLATED, STALLED, CONNECTION_LOST; HostError from dialling.
 */
export async function askForCertificate(
  connection: Connection,
  device: DeviceKey,
  claim: ClaimProof | undefined,
  onHead: (headers: IncomingHttpHeaders) => void,
): Promise<string> {
  // node-forge, which costs several megabytes, is wanted here only, once in days.
  const { makeRequest } = await import('../../crypto/request-node.ts');
  const { body } = await requestResponse(connection, {
    method: 'POST',
    path: claim ? ENROL_PATH : REENROL_PATH,
    headers: {
      'content-type': REQUEST_TYPE,
      accept: CERTS_ONLY_TYPE,
      ...(claim && {
        authorization: `Bearer ${toBase64Url(claim.token)}`,
        [PAIRING_HEADER]: claim.statement,
      }),
    },
    body: Buffer.from(makeRequest(device.key, device.camera).toString('base64')),
    maxBytes: MAX_CERTS_ONLY_BODY_BYTES,
    timeoutMs: TIMEOUT_MS,
    onHead,
  });
  return ownCertificate(body, device);
}

/** The one certificate of the answer that is for the device key. @throws ClientError PROTOCOL_VIOLATED. */
async function ownCertificate(body: string, device: DeviceKey): Promise<string> {
  const { decodeCertsOnly } = await import('../../crypto/pkcs7-node.ts');
  try {
    const der = fromBase64Body(body);
    if (der === undefined) throw new TypeError('it is not base64');
    const own = decodeCertsOnly(der)
      .map((each) => new X509Certificate(each))
      .filter((certificate) => certificate.checkPrivateKey(device.key));
    const [certificate] = own;
    if (certificate !== undefined && own.length === 1) {
      readCertificate(certificate.raw);
      return certificate.toString();
    }
    throw new TypeError(`${own.length} of its certificates are for this camera`);
  } catch (cause) {
    const message = `the answer holds no certificate: ${(cause as Error).message}`;
    throw new ClientError('PROTOCOL_VIOLATED', message, { cause });
  }
}
