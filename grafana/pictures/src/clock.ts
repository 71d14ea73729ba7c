// The present of a picture. Timers go on by it, so it cannot stand still for all.
import moment from 'moment';

const realNow = Date.now;

/** From here on it is the given unix time in ms, or really now where that is null. */
export function setClock(now: number | null): void {
  if (now === null) {
    return;
  }
  const shift = now - realNow();
  Date.now = () => realNow() + shift;
  // What Grafana reckons from "now", and how long ago something was: the same in every picture.
  moment.now = () => now;
}
