# Labels of tests, and what the sanitizers need around them.
#   memory   runs under LEAT_SANITIZER=address       threads  runs under LEAT_SANITIZER=thread
#   kafka    starts a real broker: alone on the machine, and with time
# A test that exits with 77 was skipped: loudly, and never with CI=true.
set(leat_test_environment
  "ASAN_OPTIONS=detect_stack_use_after_return=1:detect_leaks=1"
  "LSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/lsan.supp:print_suppressions=0"
  "UBSAN_OPTIONS=print_stacktrace=1"
  "TSAN_OPTIONS=suppressions=${PROJECT_SOURCE_DIR}/tests/tsan.supp:second_deadlock_stack=1:halt_on_error=0")

function(leat_label name) # LABEL...
  set(limit 300) # s; against a hang alone: a machine with other work takes a minute for what takes one second
  if("kafka" IN_LIST ARGN)
    set(limit 1200)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  elseif("threads" IN_LIST ARGN)
    set(limit 600)
  endif()
  if(NOT LEAT_SANITIZER STREQUAL "none")
    math(EXPR limit "${limit} * 3")
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${ARGN}" ENVIRONMENT "${leat_test_environment}"
    SKIP_RETURN_CODE 77 TIMEOUT ${limit})
endfunction()
