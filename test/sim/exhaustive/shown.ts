// In which of the small worlds each planted defect is seen: what `--exhaustive --defect` says where there is nothing to
// see. What is not in the list is seen in none of them.

/** By the names of the defects, as searches of every small world with every defect found them. */
export const shownIn: Readonly<Record<string, readonly string[]>> = {
  'takeover-without-proof': ['device', 'lease', 'lease-cut'],
  'lease-never-ends': ['lease-cut'],
  'watchdog-not-waited-for': ['lease', 'lease-cut'],
  'freezes-too-late': ['evidence'],
  'never-freezes': ['evidence'],
  'freeze-ends-by-itself': ['evidence'],
  'outside-always-reachable': ['evidence'],
  'goodbye-taken-too-early': ['handover'],
  'replays-accepted': ['evidence', 'cold', 'handover', 'device', 'lease', 'lease-cut'],
  'old-incarnation-accepted': ['evidence'],
  'unproven-peer-believed': ['evidence', 'cold', 'handover', 'device', 'lease', 'lease-cut'],
  'starts-without-grant': ['evidence'],
  'claims-what-it-granted': ['evidence', 'handover'],
  'starts-before-release': ['evidence', 'handover'],
  'generation-not-raised': ['evidence', 'cold', 'handover', 'device', 'lease', 'lease-cut'],
  'acts-before-persisted': ['evidence', 'cold', 'handover', 'device', 'lease', 'lease-cut'],
};
