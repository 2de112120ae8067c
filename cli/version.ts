import packageJson from '../package.json' with { type: 'json' };

/** The version of this build. */
export const version = () => packageJson.version;

/** When this build was released, milliseconds since 1970: the oldest time the camera takes for true. */
export const releaseTimeMs = () => Date.parse(packageJson.releaseTime);
