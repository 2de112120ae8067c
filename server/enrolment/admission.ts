import { Refused } from '../errors.ts';
import type { ClientCertificate } from '../http/client-certificate.ts';
import type { Standing } from '../registry/registry-tables.ts';

/**
 * The camera that may use the routes for cameras: it showed a certificate that has not ended, and the registry has
 * it as enrolled.
 * @param standing by the registry; undefined for a camera it does not know.
 * @throws as `standing`; Refused CERTIFICATE_REQUIRED, CAMERA_UNKNOWN, CAMERA_REVOKED, CERTIFICATE_EXPIRED.
 */
export async function admit(
  client: ClientCertificate,
  standing: (camera: string) => Promise<Standing | undefined>,
  nowMs: number,
): Promise<string> {
  if (client.kind !== 'camera') {
    throw new Refused('CERTIFICATE_REQUIRED', 'this is for cameras that show their client certificate');
  }
  switch (await standing(client.camera)) {
    case 'enrolled':
      break;
    case 'revoked':
      throw new Refused('CAMERA_REVOKED', 'this camera was revoked');
    case undefined:
      throw new Refused('CAMERA_UNKNOWN', 'the server knows no camera of this key');
  }
  if (!(client.notAfterMs >= nowMs)) {
    throw new Refused('CERTIFICATE_EXPIRED', 'the client certificate has expired: renew it');
  }
  return client.camera;
}
