/* reasons.h - every reason word of conditions, outcomes and Events, once.
 *
 * REASON(word, meaning). The meanings are for whoever reads the list.
 * Code writes REASON_OutputInUse, which is the text "OutputInUse": a word that
 * is not in the list does not compile. */
#pragma once

#define REASON_LIST(REASON)                                                                        \
    /* what a program reports about itself (exit_code.h) */                                        \
    REASON(UsageError, "the job document or command line is not understood by the program")        \
    REASON(DataInvalid, "the data cannot be used")                                                 \
    REASON(DriftExceeded, "the customers differ too much from those of the training")              \
    REASON(InputNotFound, "an input does not exist")                                               \
    REASON(InputChanged, "the input is no longer the one that was chosen")                         \
    REASON(Unreachable, "storage could not be reached, after retries")                             \
    REASON(Internal, "a bug in the program")                                                       \
    REASON(OutputExists, "something that is not this batch's is at the output")                    \
    REASON(OutputFailed, "the output cannot be written")                                           \
    REASON(TryAgain, "local trouble that another attempt may not have")                            \
    REASON(PermissionDenied, "a right is missing")                                                 \
    REASON(Terminated, "the program was asked to stop")                                            \
    /* what a Job reports */                                                                       \
    REASON(OutOfMemory, "the container was killed at its memory limit")                            \
    REASON(DeadlineExceeded, "the Job ran longer than activeDeadlineSeconds")                      \
    REASON(BackoffLimitExceeded, "the Job's pods failed more than backoffLimit times")             \
    REASON(JobFailed, "the Job failed for another reason")                                         \
    REASON(ResultInvalid, "the program's result cannot be read")                                   \
    REASON(ResultLost, "the program's result was lost twice")                                      \
    REASON(PodNotReady, "the Job's pod does not start")                                            \
    /* decisions about a training */                                                               \
    REASON(First, "nothing was trained yet")                                                       \
    REASON(ImageDigestChanged, "the trainer image has another digest")                             \
    REASON(SpecChanged, "the spec changed in something that decides what is trained")              \
    REASON(DataChanged, "the file to learn from is another one, or was replaced")                  \
    REASON(Scheduled, "the schedule says so")                                                      \
    REASON(Token, "retrain.token changed")                                                         \
    REASON(ImageDigestUnchanged, "training skipped: the trainer image is unchanged")               \
    /* what became of a version */                                                                 \
    REASON(Promoted, "the new version is in use")                                                  \
    REASON(RolledBack, "the version that spec.pinnedVersion names was taken into use")             \
    REASON(Unpinned, "the newest promoted version is in use again: the pin is gone")               \
    REASON(Pinned, "another version is pinned: the new one is not taken into use")                 \
    REASON(Kept, "the new version is not good enough; the one before it stays in use")             \
    REASON(Superseded, "a running training was stopped because the spec changed")                  \
    REASON(Replaced, "an unfinished Job was replaced because its pod settings changed")            \
    REASON(Recovered, "a lost Job or result is being made again")                                  \
    /* states */                                                                                   \
    REASON(Pending, "about to start")                                                              \
    REASON(Running, "a Job is at work")                                                            \
    REASON(Training, "a training is at work")                                                      \
    REASON(Trained, "the last training succeeded")                                                 \
    REASON(Reused, "an earlier identical run's result was found again")                            \
    REASON(Scored, "the file was scored")                                                          \
    REASON(DriftNoticed, "the customers differ from those of the training by drift.warn or more")  \
    REASON(Failed, "the run failed")                                                               \
    REASON(Suspended, "spec.suspend is true")                                                      \
    REASON(Idle, "nothing is active or due")                                                       \
    REASON(Healthy, "nothing waits for the user")                                                  \
    REASON(Resolved, "the image's digest is known")                                                \
    REASON(Resolving, "the image's digest is being looked up")                                     \
    REASON(RegistryUnreachable, "the registry cannot be reached")                                  \
    REASON(RegistryDenied, "the registry refuses access")                                          \
    REASON(ImageNotFound, "the registry does not have the image")                                  \
    REASON(DigestUnresolvable, "the digest cannot be looked up from here: pin it")                 \
    REASON(SpecInvalid, "a field of the spec is wrong; the message names it")                      \
    REASON(SpecImmutable, "a started batch was edited in a field that may not change")             \
    REASON(NotVisibleToController, "the controller cannot list this folder")                       \
    REASON(FolderEmpty, "the folder holds no data file yet")                                       \
    REASON(FolderUnreadable, "the folder cannot be listed")                                        \
    REASON(JobRejected, "the API server refuses the Job")                                          \
    REASON(BatchRejected, "the API server refuses a ChurnBatch of the inbox")                      \
    REASON(FileArrived, "a ChurnBatch is made for a new file in the inbox")                        \
    /* what a batch waits for */                                                                   \
    REASON(WaitingForModel, "no usable model yet")                                                 \
    REASON(ModelNotFound, "the model does not exist")                                              \
    REASON(ModelSuspended, "the model is suspended")                                               \
    REASON(ModelNotTrained, "the model has no version yet")                                        \
    REASON(ModelFresh, "the model is up to date")                                                  \
    REASON(ModelTraining, "the model is being trained again")                                      \
    REASON(CheckingImage, "the trainer image is being looked up")                                  \
    REASON(UsingPrevious, "the last training failed; the version before it is used")               \
    REASON(UsingPinned, "the version that modelVersion or pinnedVersion names is used")            \
    REASON(VersionNotFound, "the model has no such version")                                       \
    REASON(CheckingVersion, "the version is being looked for")                                     \
    REASON(UsingCurrent, "the version that is there is used without a check")                      \
    REASON(OutputInUse, "an older unfinished batch writes to the same output")                     \
    REASON(Complete, "the batch is done")                                                          \
    REASON(NotComplete, "the batch is not done")                                                   \
    REASON(NotFailed, "no run failed")                                                             \
    REASON(NotSuspended, "spec.suspend is false")                                                  \
    REASON(NotTrained, "no training ended yet")

/* REASON_First is "First", and so on. */
#define REASON_DECLARE(word, meaning) extern const char REASON_##word[];
REASON_LIST(REASON_DECLARE)
#undef REASON_DECLARE

/* All of them with their meanings, ended by a NULL word: for documentation. */
struct reason {
    const char *word, *meaning;
};
extern const struct reason reasons[];
