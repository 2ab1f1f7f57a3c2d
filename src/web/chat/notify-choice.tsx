/** Placeholder until notifications are there. */
export function NotifyChoice() {
  return null;
}
