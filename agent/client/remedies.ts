const POLICY_REFUSALS = new Set([
  'POLICY_REFUSED',
  'POLICY_OUTDATED',
  'DOCUMENT_FORGED',
  'DOCUMENT_MALFORMED',
  'CAMERA_FOREIGN',
  'DAY_KEYS_MISSING',
  'DAY_KEYS_UNNAMED',
  'DAY_KEYS_BELOW_FLOOR',
]);

/** Whether what went wrong with a policy is that it came, and is not obeyed. */
export const refusesPolicy = (code: string): boolean => POLICY_REFUSALS.has(code);

const PUT_POLICY = 'oriel server policy put DIR FILE --camera CAMERA_ID';
const NEXT_POLICY = `sign the next (oriel keys policy) and put it there: ${PUT_POLICY}`;

/** What a person can do about a refusal, or a failure to reach the server; undefined where waiting is all. */
export function wayOut(code: string): string | undefined {
  switch (code) {
    case 'CERTIFICATE_MISSING':
      return 'the camera asks its server for one by itself, unless what is said beside this stands in the way; of one made by hand, have its server certify the request: oriel server certify DIR --request FILE --out FILE';
    case 'CLAIM_UNKNOWN':
      return 'the server has not been given the claim yet: oriel server camera claim DIR CLAIM';
    case 'CLAIM_EXPIRED':
      return 'make another setup code (oriel keys pair), stop the camera, and set it up with that code (oriel camera setup)';
    case 'CLAIM_USED':
      return 'another camera has used this setup code: find out which; make another (oriel keys pair), stop this camera, and set it up with that code (oriel camera setup)';
    case 'CAMERA_UNKNOWN':
      return 'the server does not know this camera: oriel server camera admit DIR CAMERA_ID, or stop the camera, and pair it anew after oriel camera reset';
    case 'CAMERA_REVOKED':
      return 'the server has revoked this camera; to use it again, stop it, then oriel camera reset, and pair it anew: oriel keys pair';
    case 'REQUEST_REFUSED':
      return 'the server cannot read what this camera asks: is one of the two out of date?';
    case 'CLOCK_WRONG':
      return "the server's clock is wrong, so it issues no certificates: set it there (timedatectl set-ntp true); the camera asks again by itself";
    case 'PIN_MISMATCH':
      return 'what answers there is not the server of the setup code, nor of the last pin statement: if address and pins were wrong, make another setup code (oriel keys pair), stop the camera, and set it up with that code (oriel camera setup); a paired camera is told of another server by oriel keys pins';
    case 'HOST_MISMATCH':
      return 'the certificate of the server does not name the address that this camera dials: add it to "hosts" in server.json there, and start the server again';
    case 'POLICY_NONE':
      return 'the owner has not accepted this camera yet: oriel keys accept';
    case 'DAY_KEYS_MISSING':
    case 'DAY_KEYS_UNNAMED':
      return `the server holds a policy with other day keys than its owner signed; put the file of oriel keys policy there again: ${PUT_POLICY}`;
    case 'DAY_KEYS_BELOW_FLOOR':
      return `the policy leaves nobody to seal to; its owner can make day keys (oriel keys days) and ${NEXT_POLICY}`;
    case 'POLICY_OUTDATED':
    case 'POLICY_REFUSED':
    case 'DOCUMENT_FORGED':
    case 'DOCUMENT_MALFORMED':
    case 'CAMERA_FOREIGN':
      return `the server holds a policy that this camera does not obey; its owner can ${NEXT_POLICY}`;
    case 'PINS_MALFORMED':
    case 'PINS_FORGED':
    case 'PINS_FOREIGN':
    case 'PINS_EPOCH':
      return 'somebody brought a pin statement that this camera does not obey; the one that it obeys stays in force';
    case 'PINS_REPLAYED':
    case 'PINS_CONFLICT':
      return 'the pin statement brought is no newer than the one obeyed; its owner can sign the next: oriel keys pins';
    case 'DIAL_RESOLVE':
      return 'the name of the server cannot be resolved: is the network up, and its DNS?';
    case 'DIAL_CONNECT':
    case 'DIAL_TIMEOUT':
      return 'is the server running, and can its address be reached from here?';
    case 'QUOTA_EXCEEDED':
      return 'make room at the server for this camera (oriel server run --camera-quota); it waits in the spool meanwhile';
    case 'STORAGE_FAILED':
      return 'the server could not write: its log says why (its disk fails, or another process holds its registry); the camera asks again by itself, and what is filmed meanwhile waits in its spool';
    case 'STORAGE_FULL':
      return "look at the server's disk; what is filmed meanwhile waits in the camera's spool";
    case 'METADATA_EXPIRED':
      return 'updates are kept from this camera: has its server the newest of the maker (oriel server run --updates)?';
    default:
      return undefined;
  }
}
