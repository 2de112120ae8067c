import { FootageError } from './errors.ts';
import { type MovieSink, MovieWriter } from './movie-writer.ts';
import { type FootageReport, report } from './report.ts';
import { chooseCameras, type FootageRequest, verifyFootage } from './verification.ts';

/**
 * Verifies footage as asked, and writes what opens to a sink.
 * @param movies undefined to write nothing.
 * @throws FootageError FOOTAGE_MISSING, CAMERA_UNKNOWN, CAMERA_AMBIGUOUS (files hold one camera's footage), FILE_UNREADABLE;
 *   what the sink throws.
 */
export async function openFootage(
  request: FootageRequest,
  movies: MovieSink | undefined,
): Promise<FootageReport> {
  const cameras = chooseCameras(await request.source.cameras(), request.camera);
  if (movies !== undefined && cameras.length > 1) {
    throw new FootageError(
      'CAMERA_AMBIGUOUS',
      `there is footage of ${cameras.length} cameras: choose one with --camera ${cameras.join(' | ')}`,
    );
  }
  movies?.check();
  const movie = movies === undefined ? undefined : new MovieWriter(movies);
  try {
    const {
      lines,
      cameras: coverage,
      snapshots,
      gaps,
    } = await verifyFootage(request, cameras, {
      onSegment: async ({ opened }) => {
        if (opened !== undefined) await movie?.add(opened);
      },
    });
    return report(lines, (await movie?.finish()) ?? [], coverage, snapshots, gaps);
  } finally {
    await movie?.abandon();
  }
}
