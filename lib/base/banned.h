/* banned.h - functions nobody may call; force-included into every C file.
 *
 * Each name is replaced by one that does not exist, so using it stops the
 * build. The comment says what to use instead. System headers that declare
 * these are included first, so that only our own uses are caught. */
#pragma once

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define BANNED(function) sorry_##function##_is_a_banned_function

/* unbounded or truncating copies: buf.h, mem.h */
#undef strcpy
#define strcpy(a, b) BANNED(strcpy)
#undef strcat
#define strcat(a, b) BANNED(strcat)
#undef strncpy
#define strncpy(a, b, c) BANNED(strncpy)
#undef strncat
#define strncat(a, b, c) BANNED(strncat)
#undef sprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strtok
#define strtok(a, b) BANNED(strtok)
#undef strtok_r
#define strtok_r(a, b, c) BANNED(strtok_r)
/* numbers that stop early, saturate or follow the locale: num.h */
#undef atoi
#define atoi(a) BANNED(atoi)
#undef atol
#define atol(a) BANNED(atol)
#undef atoll
#define atoll(a) BANNED(atoll)
#undef atof
#define atof(a) BANNED(atof)
#undef strtol
#define strtol(a, b, c) BANNED(strtol)
#undef strtoul
#define strtoul(a, b, c) BANNED(strtoul)
#undef strtoll
#define strtoll(a, b, c) BANNED(strtoll)
#undef strtoull
#define strtoull(a, b, c) BANNED(strtoull)
#undef strtod
#define strtod(a, b) BANNED(strtod)
#undef strtof
#define strtof(a, b) BANNED(strtof)
#undef sscanf
#define sscanf(...) BANNED(sscanf)
/* shared state: clock.h and num_format_time() */
#undef gmtime
#define gmtime(a) BANNED(gmtime)
#undef localtime
#define localtime(a) BANNED(localtime)
#undef ctime
#define ctime(a) BANNED(ctime)
#undef asctime
#define asctime(a) BANNED(asctime)
#undef rand
#define rand() BANNED(rand)
#undef srand
#define srand(a) BANNED(srand)
/* process-wide side effects */
#undef setenv
#define setenv(a, b, c) BANNED(setenv)
#undef putenv
#define putenv(a) BANNED(putenv)
#undef setlocale
#define setlocale(a, b) BANNED(setlocale)
#undef system
#define system(a) BANNED(system)
#undef popen
#define popen(a, b) BANNED(popen)
#undef usleep
#define usleep(a) BANNED(usleep)
#undef sleep
#define sleep(a) BANNED(sleep)
#undef mktemp
#define mktemp(a) BANNED(mktemp)
