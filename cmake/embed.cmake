# A file as a C array: cmake -DIN=FILE -DOUT=FILE.c -DNAME=page_html -P embed.cmake makes leat__file_page_html[] and its _size.
# {{OTHER}} in it stands for the text of the file OTHER in the same folder.
file(READ "${IN}" text)
get_filename_component(folder "${IN}" DIRECTORY)
string(REGEX MATCHALL "{{[a-z]+\\.[a-z]+}}" marks "${text}")
foreach(mark ${marks})
  string(REGEX REPLACE "[{}]" "" other "${mark}")
  file(READ "${folder}/${other}" part)
  string(STRIP "${part}" part)
  string(REPLACE "${mark}" "${part}" text "${text}")
endforeach()
string(HEX "${text}" bytes)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE "${OUT}" "#include \"runtime/query/embedded_files.h\"\n\nconst unsigned char leat__file_${NAME}[] = {\n${bytes}\n};
const size_t leat__file_${NAME}_size = sizeof leat__file_${NAME};\n")
