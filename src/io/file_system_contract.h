// The contract of io::FileSystem as a typed test suite: what every implementation must do while nothing fails.
//
//   struct MakeMine { io::FileSystem& files(); };   // default constructible; an empty file system
//   INSTANTIATE_TYPED_TEST_SUITE_P(Mine, FileSystemContract, MakeMine);
//
// Tests only. What survives a power cut is shown by the simulator's own tests and by the cuts on a real image.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "io/block_buffer.h"
#include "io/file_system.h"

namespace millrace::io {

template <class Maker>
class FileSystemContract : public ::testing::Test {
 protected:
  FileSystem& files() { return maker_.files(); }
  void write(std::string_view path, std::string_view text) {
    auto file = files().open(path, OpenMode::create);
    ASSERT_TRUE(file) << file.error().message();
    ASSERT_TRUE((*file)->write_at(0, as_bytes(text)));
  }
  std::string content(std::string_view path) {
    auto text = read_file(files(), path, 1_MiB);
    return text ? *text : "error: " + text.error().message();
  }

 private:
  Maker maker_;
};
TYPED_TEST_SUITE_P(FileSystemContract);

TYPED_TEST_P(FileSystemContract, WritesAreReadBackAndSizesFollow) {
  auto file = this->files().open("a", OpenMode::create_new);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(0, as_bytes("hello")));
  ASSERT_TRUE((*file)->write_at(10, as_bytes("world")));
  EXPECT_EQ((*file)->size().value(), 15U);
  std::string text(20, '?');
  const auto got = (*file)->read_at(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, 15U);
  EXPECT_EQ(text.substr(0, 15), std::string("hello\0\0\0\0\0world", 15));
  EXPECT_EQ((*file)->read_at(15, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}).value(), 0U);
  EXPECT_EQ((*file)->read_at(99, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}).value(), 0U);
  ASSERT_TRUE((*file)->sync_data());
}

TYPED_TEST_P(FileSystemContract, ManyPiecesAreOneWrite) {
  auto file = this->files().open("a", OpenMode::create);
  ASSERT_TRUE(file);
  std::vector<std::string> parts;
  std::string expected = "..";
  for (int i = 0; i < 3'000; ++i) {
    parts.push_back(i % 7 == 0 ? std::string() : std::to_string(i));
    expected += parts.back();
  }
  std::vector<ByteView> pieces;
  for (const auto& part : parts) pieces.push_back(as_bytes(part));
  ASSERT_TRUE((*file)->write_at(0, as_bytes("..")));
  ASSERT_TRUE((*file)->write_at(2, pieces));
  ASSERT_TRUE((*file)->write_at(2, std::span<const ByteView>{}));
  EXPECT_EQ(this->content("a"), expected);
}

TYPED_TEST_P(FileSystemContract, BlocksAndBytesMeetInOneFile) {
  auto file = this->files().open("a", OpenMode::create);
  ASSERT_TRUE(file);
  std::string expected(2 * kBlockSize, 'b');
  BlockBuffer blocks;
  blocks.clear_for(2 * kBlockSize);
  ASSERT_EQ(blocks.append(as_bytes(expected)), expected.size());
  ASSERT_TRUE((*file)->write_blocks(0, blocks.view()));
  ASSERT_TRUE((*file)->write_at(2 * kBlockSize, as_bytes("tail")));
  EXPECT_EQ(this->content("a"), expected + "tail");
  // The block that the bytes stand in is written again, as part of a longer piece.
  blocks.clear_for(3 * kBlockSize);
  blocks.append(as_bytes(std::string(kBlockSize, 'c')));
  blocks.append(as_bytes("tail, and more"));
  blocks.pad();
  ASSERT_EQ(blocks.size(), 2 * kBlockSize);
  ASSERT_TRUE((*file)->write_blocks(kBlockSize, blocks.view()));
  expected.resize(kBlockSize);
  expected += std::string(kBlockSize, 'c') + "tail, and more";
  expected.resize(3 * kBlockSize);
  EXPECT_EQ(this->content("a"), expected);
  ASSERT_TRUE((*file)->sync_data());
  EXPECT_EQ(this->content("a"), expected);
}

TYPED_TEST_P(FileSystemContract, BlocksOfManyFilesAreWrittenTogether) {
  constexpr std::size_t kFiles = 40;
  std::vector<std::unique_ptr<File>> opened;
  std::vector<BlockBuffer> blocks(kFiles);
  std::vector<BlockWrite> writes;
  for (std::size_t i = 0; i < kFiles; ++i) {
    const std::string name = "f" + std::to_string(i);
    EXPECT_EQ(this->files().open(name, OpenMode::blocks).error().code, ErrorCode::not_found);
    this->write(name, std::string(kBlockSize, '.'));
    opened.push_back(this->files().open(name, OpenMode::blocks).value());
    blocks[i].clear_for((1 + i % 3) * kBlockSize);
    blocks[i].append(as_bytes("content " + std::to_string(i)));
    blocks[i].pad('p');
    writes.push_back({.file = opened.back().get(), .offset = kBlockSize, .blocks = blocks[i].view()});
  }
  this->files().write_blocks_of(writes);
  for (std::size_t i = 0; i < kFiles; ++i) {
    ASSERT_TRUE(writes[i].done);
    std::string expected = std::string(kBlockSize, '.') + "content " + std::to_string(i);
    expected.resize(2 * kBlockSize, 'p');
    EXPECT_EQ(this->content("f" + std::to_string(i)), expected);
    ASSERT_TRUE(opened[i]->truncate(kBlockSize + 7));
    ASSERT_TRUE(opened[i]->sync_data());
    expected.resize(kBlockSize + 7);
    EXPECT_EQ(this->content("f" + std::to_string(i)), expected);
  }
  this->files().write_blocks_of({});
}

TYPED_TEST_P(FileSystemContract, TruncateCutsAndExtendsWithZeros) {
  this->write("a", "0123456789");
  auto file = this->files().open("a", OpenMode::read_write);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->truncate(4));
  ASSERT_TRUE((*file)->truncate(6));
  EXPECT_EQ(this->content("a"), std::string("0123\0\0", 6));
}

TYPED_TEST_P(FileSystemContract, ReserveKeepsTheSize) {
  this->write("a", "0123");
  auto file = this->files().open("a", OpenMode::read_write);
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->reserve(0, 64_KiB));
  EXPECT_EQ((*file)->size().value(), 4U);
  (*file)->start_writeback(0, 4);
  EXPECT_EQ(this->content("a"), "0123");
}

TYPED_TEST_P(FileSystemContract, OpenModes) {
  EXPECT_EQ(this->files().open("a", OpenMode::read_only).error().code, ErrorCode::not_found);
  EXPECT_EQ(this->files().open("a", OpenMode::read_write).error().code, ErrorCode::not_found);
  EXPECT_EQ(this->files().open("no/a", OpenMode::create).error().code, ErrorCode::not_found);
  this->write("a", "text");
  EXPECT_EQ(this->files().open("a", OpenMode::create_new).error().code, ErrorCode::already_exists);
  EXPECT_TRUE(this->files().open("a", OpenMode::create));
  EXPECT_EQ(this->content("a"), "text");
  auto reader = this->files().open("a", OpenMode::read_only);
  ASSERT_TRUE(reader);
  EXPECT_FALSE((*reader)->write_at(0, as_bytes("x")));
}

TYPED_TEST_P(FileSystemContract, PathsStayBelowTheRoot) {
  for (const std::string_view path : {"/etc/passwd", "../a", "a/../../b", "a//b", "a/", "./a"}) {
    EXPECT_EQ(this->files().open(path, OpenMode::create).error().code, ErrorCode::invalid_argument) << path;
    EXPECT_FALSE(this->files().exists(path)) << path;
  }
}

TYPED_TEST_P(FileSystemContract, DirectoriesAreListedSorted) {
  ASSERT_TRUE(this->files().make_directory("d/e/f"));
  ASSERT_TRUE(this->files().make_directory("d/e/f"));
  this->write("d/z", "");
  this->write("d/a", "");
  EXPECT_EQ(this->files().list("d").value(), (std::vector<std::string>{"a", "e", "z"}));
  EXPECT_EQ(this->files().list("").value(), (std::vector<std::string>{"d"}));
  EXPECT_EQ(this->files().list("nowhere").error().code, ErrorCode::not_found);
  EXPECT_TRUE(this->files().exists("d/e"));
  EXPECT_FALSE(this->files().make_directory("d/a"));
  ASSERT_TRUE(this->files().sync_directory("d"));
  ASSERT_TRUE(this->files().sync_directory(""));
  EXPECT_EQ(this->files().sync_directory("nowhere").error().code, ErrorCode::not_found);
}

TYPED_TEST_P(FileSystemContract, RenameReplacesAndOpenFilesFollow) {
  this->write("a", "new");
  this->write("b", "old");
  auto held = this->files().open("b", OpenMode::read_only);
  ASSERT_TRUE(held);
  ASSERT_TRUE(this->files().rename("a", "b"));
  EXPECT_FALSE(this->files().exists("a"));
  EXPECT_EQ(this->content("b"), "new");
  std::string text(3, '?');
  ASSERT_TRUE((*held)->read_at(0, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}));
  EXPECT_EQ(text, "old");
  EXPECT_EQ(this->files().rename("a", "c").error().code, ErrorCode::not_found);
}

TYPED_TEST_P(FileSystemContract, DirectoriesAreRenamedWithTheirContent) {
  ASSERT_TRUE(this->files().make_directory("d/e"));
  this->write("d/e/a", "text");
  ASSERT_TRUE(this->files().rename("d", "g"));
  EXPECT_EQ(this->content("g/e/a"), "text");
  EXPECT_FALSE(this->files().exists("d"));
}

TYPED_TEST_P(FileSystemContract, RemoveFileKeepsItForThoseWhoHaveItOpen) {
  this->write("a", "text");
  auto held = this->files().open("a", OpenMode::read_write);
  ASSERT_TRUE(held);
  ASSERT_TRUE(this->files().remove_file("a"));
  EXPECT_FALSE(this->files().exists("a"));
  EXPECT_EQ(this->files().remove_file("a").error().code, ErrorCode::not_found);
  EXPECT_EQ((*held)->size().value(), 4U);
  this->write("a", "another");
  EXPECT_EQ((*held)->size().value(), 4U);
}

TYPED_TEST_P(FileSystemContract, RemoveTreeTakesEverything) {
  ASSERT_TRUE(this->files().make_directory("d/e"));
  this->write("d/e/a", "");
  this->write("d/b", "");
  ASSERT_TRUE(this->files().remove_tree("d"));
  EXPECT_FALSE(this->files().exists("d"));
  EXPECT_EQ(this->files().remove_tree("d").error().code, ErrorCode::not_found);
}

TYPED_TEST_P(FileSystemContract, OneLockAtATime) {
  auto first = this->files().lock("lock");
  ASSERT_TRUE(first);
  EXPECT_EQ(this->files().lock("lock").error().code, ErrorCode::locked);
  first->reset();
  EXPECT_TRUE(this->files().lock("lock"));
}

TYPED_TEST_P(FileSystemContract, ReplaceFileAndReadFile) {
  ASSERT_TRUE(this->files().make_directory("d"));
  ASSERT_TRUE(replace_file(this->files(), "d/a", as_bytes("one")));
  ASSERT_TRUE(replace_file(this->files(), "d/a", as_bytes("two!")));
  EXPECT_EQ(this->content("d/a"), "two!");
  EXPECT_EQ(this->files().list("d").value(), (std::vector<std::string>{"a"}));
  EXPECT_EQ(read_file(this->files(), "d/a", 3).error().code, ErrorCode::too_large);
  EXPECT_EQ(read_file(this->files(), "d/b", 3).error().code, ErrorCode::not_found);
}

TYPED_TEST_P(FileSystemContract, EverythingIsSyncedAtOnce) {
  ASSERT_TRUE(this->files().make_directory("d"));
  this->write("d/a", "one");
  this->write("b", "two!");
  EXPECT_TRUE(this->files().sync_all());
  EXPECT_EQ(this->content("d/a"), "one");
}

TYPED_TEST_P(FileSystemContract, SizesAreToldByPath) {
  this->write("a", "four");
  EXPECT_EQ(this->files().file_size("a").value(), 4U);
  EXPECT_EQ(this->files().file_size("b").error().code, ErrorCode::not_found);
}

TYPED_TEST_P(FileSystemContract, ThereIsRoom) {
  EXPECT_GT(this->files().free_bytes().value(), 0U);
}

REGISTER_TYPED_TEST_SUITE_P(FileSystemContract, WritesAreReadBackAndSizesFollow, ManyPiecesAreOneWrite,
                            BlocksAndBytesMeetInOneFile, BlocksOfManyFilesAreWrittenTogether,
                            TruncateCutsAndExtendsWithZeros, ReserveKeepsTheSize, OpenModes, PathsStayBelowTheRoot,
                            DirectoriesAreListedSorted, RenameReplacesAndOpenFilesFollow,
                            DirectoriesAreRenamedWithTheirContent, RemoveFileKeepsItForThoseWhoHaveItOpen,
                            RemoveTreeTakesEverything, OneLockAtATime, ReplaceFileAndReadFile, EverythingIsSyncedAtOnce,
                            SizesAreToldByPath, ThereIsRoom);

}  // namespace millrace::io
