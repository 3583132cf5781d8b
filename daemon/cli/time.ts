// Durations and times of day, in the words in which incidents are told.

export { formatRemaining, formatSpan, formatTime, formatTook } from '../incident/time.ts';
