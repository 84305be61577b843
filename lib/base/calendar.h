/* calendar.h - days since 1970-01-01 and dates of the proleptic Gregorian calendar.
 *
 * Months are 1 to 12, days of a month begin with 1. */
#pragma once

#include <stdint.h>

int64_t calendar_days(int64_t year, int month, int day);
void calendar_date(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

/* Days of a month: 28 to 31. */
int calendar_month_days(int64_t year, int month);

/* 0 is Sunday, 6 Saturday. */
int calendar_weekday(int64_t days);
