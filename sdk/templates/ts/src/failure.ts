/** The record is looked at again, and that counts as a try. */
export const AGAIN = 1;
/** The record is looked at again, and that does not count: something is waited for that passes by itself. */
export const WAIT = 2;
/** The message goes to the trash. */
export const TRASH = 3;

/** Why a node did not finish. The reason is for the operator, with no personal data but ids. */
export class Failure extends Error {
  constructor(
    readonly code: typeof AGAIN | typeof WAIT | typeof TRASH,
    reason: string,
    readonly afterMs?: number,
  ) {
    super(reason);
  }
}
