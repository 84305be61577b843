/* commands.h - the sub-commands of kubesim; each gets its own arguments and returns the exit code.
 */
#pragma once

int command_serve(int argc, char **argv);
int command_image(int argc, char **argv);
int command_fault(int argc, char **argv);
int command_stats(int argc, char **argv);
