// Moments in words.
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const MOMENT = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export const day = (moment: string | number): string => DAY.format(new Date(moment));
export const at = (moment: string | number): string => MOMENT.format(new Date(moment));
export const clock = (moment: string | number): string => CLOCK.format(new Date(moment));

// As exactly as it was said: "2025", "2025-03", "2025-03-29" or a moment.
export function said(text: string): string {
  if (/^\d{4}$/.test(text)) return text;
  if (/^\d{4}-\d{2}$/.test(text)) return new Intl.DateTimeFormat("en-GB", { month: "short", year: "numeric" }).format(new Date(`${text}-15`));
  return day(text);
}
