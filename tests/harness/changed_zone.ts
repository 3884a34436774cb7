import type { Resources } from "../../lib/stage.ts";
import type { Zone } from "../../lib/zone/zone.ts";

/** A zone with other methods in place of some; they may call the zone's own. */
export function changedZone(zone: Zone, changes: Partial<Zone>): Zone {
  return new Proxy(zone, {
    get: (target, name) => {
      const value = Reflect.get(changes, name) ?? Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/** Resources that open each zone with such changes. */
export function changedZones(
  resources: Resources,
  change: (zone: Zone) => Partial<Zone>,
): Resources {
  return {
    ...resources,
    openZone: (...options) => {
      const zone = resources.openZone(...options);
      return changedZone(zone, change(zone));
    },
  };
}
