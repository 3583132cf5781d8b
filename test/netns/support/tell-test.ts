// How a process that a test has started tells it something, over Node's IPC channel.

/**
 * A test that has ended, or was ended, does not listen any more: what it is told then is lost, and that is no error. An
 * error (EPIPE, as 'error' of the process) would end the process before its 'disconnect' lets it clear up.
 */
export function tellTest(message: object): void {
  process.send?.(message, undefined, {}, () => {});
}
