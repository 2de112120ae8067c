import { ServerError } from '../errors.ts';
import type { CameraRecord } from './registry-tables.ts';

const MIN_PREFIX = 4;

/** The camera that somebody means: by id, the beginning of it, or name. @throws ServerError CAMERA_AMBIGUOUS. */
export function cameraMeant(cameras: readonly CameraRecord[], text: string): CameraRecord {
  const fits = cameras.filter(
    ({ id, name }) =>
      id === text || (name !== '' && name === text) || (text.length >= MIN_PREFIX && id.startsWith(text)),
  );
  const [camera, ...others] = fits;
  if (camera !== undefined && others.length === 0) return camera;
  const many = fits.length > 1 ? `${fits.length} cameras are` : 'no camera is';
  throw new ServerError(
    'CAMERA_AMBIGUOUS',
    `${many} called ${JSON.stringify(text.slice(0, 100))}: see oriel server camera list`,
  );
}
