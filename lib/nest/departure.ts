import { Module } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';

/** Nest destroys modules by their distance from the root, whose own is 1: what is nearer than that comes first. */
const BEFORE_THE_ROOT = 0;

/**
 * Closes servers when the application shuts down: the first of all its hooks, so that whatever handlers work with is still
 * open while they finish, in whichever hook and module it is closed.
 */
export class Departure {
  readonly #servers: { close(): Promise<void> }[] = [];

  /** Has `server` closed first of all. */
  closing<Server extends { close(): Promise<void> }>(server: Server): Server {
    this.#servers.push(server);
    return server;
  }

  /** For Nest: the earliest hook there is. A server that is closed again waits for the same end. */
  async onModuleDestroy(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.close()));
  }
}

/**
 * A module of its own because its hooks come before those of the root, while `KrafkaModule`'s come after everybody's who
 * may still want to send.
 */
@Module({
  providers: [
    {
      provide: Departure,
      inject: [ModulesContainer],
      useFactory: (modules: ModulesContainer) => {
        // Distances are measured by now, and not yet sorted by: that is done for the first hook.
        for (const module of modules.values()) {
          if (module.metatype === DepartureModule) module.distance = BEFORE_THE_ROOT;
        }
        return new Departure();
      },
    },
  ],
  exports: [Departure],
})
export class DepartureModule {}
