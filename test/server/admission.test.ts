import { X509Certificate } from 'node:crypto';
import { fromPem, issueServer, makeAuthority } from '../../crypto/certificate-node.ts';
import { admit } from '../../server/enrolment/admission.ts';
import { type ClientCertificate, clientCertificateJudge } from '../../server/http/client-certificate.ts';
import type { Standing } from '../../server/registry/registry-tables.ts';
import { makeCamera } from './camera-double.ts';

const DAY_MS = 86_400_000;
const now = new Date('2026-11-21T12:00:00Z');
const authority = makeAuthority('Camera CA', now, 1);
const judge = clientCertificateJudge(authority.certificate);
const derOf = (pem: string) => fromPem('CERTIFICATE', pem);

describe('the judge', () => {
  const camera = makeCamera(authority, { from: now, days: 14 });
  const der = derOf(camera.certificate);

  test('knows a camera by its key', () => {
    const { validToDate } = new X509Certificate(der);
    expect(judge(der)).toEqual({ kind: 'camera', camera: camera.id, notAfterMs: validToDate.getTime() });
  });

  test.each([
    ['has ended', new Date('2001-01-01')],
    ['has not begun', new Date('2099-01-01')],
  ])('leaves a certificate that %s to the caller', (_name, from) => {
    const { id, certificate } = makeCamera(authority, { from, days: 1 });
    expect(judge(derOf(certificate))).toMatchObject({ kind: 'camera', camera: id });
  });

  test('takes no certificate for nobody', () => {
    expect(judge(undefined)).toEqual({ kind: 'anonymous' });
  });

  const forged = Buffer.from(der);
  forged[forged.length - 1]! ^= 1;
  test.each([
    ['of another CA', derOf(makeCamera(makeAuthority('Another', now, 1)).certificate), 'ISSUER_WRONG'],
    [
      'of another CA of the same name',
      derOf(makeCamera(makeAuthority('Camera CA', now, 1)).certificate),
      'ISSUER_WRONG',
    ],
    ['whose signature was altered', forged, 'SIGNATURE_FORGED'],
    ['for servers', issueServer(authority, ['a'], { from: now, days: 1 }).certificate, 'USAGE_WRONG'],
    ['that is the CA’s', authority.certificate, 'LEAF_IS_CA'],
    ['that is none', Buffer.from('no certificate'), 'CERTIFICATE_MALFORMED'],
  ])('refuses a certificate %s', (_name, certificate, code) => {
    expect(judge(certificate)).toMatchObject({ kind: 'refused', code });
  });
});

describe('admission', () => {
  const nowMs = now.getTime();
  const good: ClientCertificate = { kind: 'camera', camera: 'a', notAfterMs: nowMs + DAY_MS };
  const ended: ClientCertificate = { kind: 'camera', camera: 'a', notAfterMs: nowMs - 1 };
  const refused: ClientCertificate = { kind: 'refused', code: 'EXPIRED', message: '' };
  test.each<[string, ClientCertificate, Standing | undefined, string]>([
    ['enrolled, certificate good', good, 'enrolled', 'a'],
    ['enrolled, certificate at its last moment', { ...good, notAfterMs: nowMs }, 'enrolled', 'a'],
    ['enrolled, certificate ended', ended, 'enrolled', 'CERTIFICATE_EXPIRED'],
    ['revoked, certificate good', good, 'revoked', 'CAMERA_REVOKED'],
    ['revoked, certificate ended', ended, 'revoked', 'CAMERA_REVOKED'],
    ['unknown, certificate good', good, undefined, 'CAMERA_UNKNOWN'],
    ['unknown, certificate ended', ended, undefined, 'CAMERA_UNKNOWN'],
    ['no certificate', { kind: 'anonymous' }, 'enrolled', 'CERTIFICATE_REQUIRED'],
    ['a certificate refused', refused, 'enrolled', 'CERTIFICATE_REQUIRED'],
  ])('%s', async (_name, client, standing, outcome) => {
    const attempt = async () => {
      try {
        return await admit(client, async () => standing, nowMs);
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    expect(await attempt()).toBe(outcome);
  });
});
