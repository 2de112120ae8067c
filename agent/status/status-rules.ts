/** What the file says is never older, ms: readers take an agent for silent after fifteen seconds. */
export const HEARTBEAT_MS = 5_000;

export interface StatusAge {
  /** Whether what the camera does is another than the file says. */
  readonly isNews: boolean;
  /** Whether somebody has read the file since it was written. */
  readonly wasRead: boolean;
  /** Since it was written, ms. */
  readonly sinceMs: number;
}

/** Whether the status is made and written anew; asked once a second. Pure. */
export function statusIsDue({ isNews, wasRead, sinceMs }: StatusAge): boolean {
  return isNews || wasRead || sinceMs >= HEARTBEAT_MS;
}
