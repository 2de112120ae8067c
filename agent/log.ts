/** Where the agent says what happens; a pino logger fits. */
export interface AgentLog {
  /** Left out where nobody wants to know that much. */
  debug?(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** An error as log fields: its closed code and its message, with that of its cause, and no stack. */
export function errorFields(error: unknown): { code: string; reason: string } {
  const { code, message, cause } = error as {
    code?: unknown;
    message?: unknown;
    cause?: { message?: unknown };
  };
  const reason = [message, cause?.message].filter((part) => typeof part === 'string').join(': ');
  return { code: typeof code === 'string' ? code : 'UNKNOWN', reason };
}
