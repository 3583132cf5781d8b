// Tells when storage that was not in use here has come up: what lies on it can be seen from then on.

export interface StorageRises {
  /** What is seen of one piece of storage now. */
  seen(id: string, isUp: boolean): void;
  /** Called at each rise from now on. */
  listen(listener: () => void): void;
}

export function createStorageRises(): StorageRises {
  const up = new Set<string>();
  const listeners: (() => void)[] = [];
  return {
    seen(id, isUp) {
      if (!isUp) return void up.delete(id);
      if (up.has(id)) return;
      up.add(id);
      for (const listener of listeners) listener();
    },
    listen: (listener) => void listeners.push(listener),
  };
}
