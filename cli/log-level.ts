import { Option } from 'commander';

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** `--log-level`, of everything that logs. */
export function logLevelOption(): Option {
  return new Option('--log-level <level>', 'how much to log; debug names every request')
    .choices(LEVELS)
    .default('info')
    .env('ORIEL_LOG_LEVEL');
}
