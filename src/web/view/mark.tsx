/** Nest's mark: an egg in a nest. */
export function Mark({ size = 20 }: { size?: number }) {
  return (
    <svg class="mark" width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
      <ellipse class="mark-egg" cx="16" cy="12.5" rx="4.8" ry="7" />
      <path
        class="mark-nest"
        d="M3.5 14C4.6 23 9.3 28 16 28s11.4-5 12.5-14c-3 3.6-7.3 5.5-12.5 5.5S6.5 17.6 3.5 14z"
      />
    </svg>
  );
}
